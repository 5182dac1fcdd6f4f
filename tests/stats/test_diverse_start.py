"""A start finds every group there is, its most typical units first, dense and sparse alike."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import KMeans

from martello.errors import DataError
from martello.stats.diverse_start import pick_diverse

MIDDLES = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [5, 20]], dtype=float)
SIZES = (400, 200, 100, 50, 10)


def _world(seed=0):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(5), SIZES)
    return MIDDLES[group] + rng.normal(0, 0.5, (len(group), 2)), group


def test_one_unit_of_each_group_comes_first_also_of_the_rare_one():
    points, group = _world()
    for seed in range(5):
        picked = pick_diverse(points, 5, [], seed=seed)
        assert group[picked.position].tolist() == [0, 1, 2, 3, 4], "the largest group comes first"


def test_the_picked_are_typical_of_their_group():
    """Against the middles that plain k-means finds: each pick is among the tenth nearest to its own."""
    points, group = _world()
    fitted = KMeans(5, n_init=10, random_state=0).fit(points)
    for i in pick_diverse(points, 5, [], seed=1).position:
        distance = np.linalg.norm(points - fitted.cluster_centers_[fitted.labels_[i]], axis=1)
        mates = distance[group == group[i]]
        assert distance[i] <= np.quantile(mates, 0.1)


def test_groups_that_have_a_label_wait_until_the_others_have_one():
    points, group = _world()
    drawn = [int(np.flatnonzero(group == g)[0]) for g in (0, 1, 2)]
    picked = pick_diverse(points, 2, drawn, seed=0)
    assert not set(picked.position.tolist()) & set(drawn)
    assert {3, 4} <= set(group[picked.position].tolist())


def test_the_reason_counts_the_group():
    points, _ = _world()
    assert (
        pick_diverse(points, 5, [], seed=0).why[0]
        == "typical of a group of 400 similar units, none of which has a label"
    )


def test_a_second_unit_of_a_group_says_how_many_come_before_it():
    picked = pick_diverse(np.zeros((4, 1)), 2, [], seed=0)
    assert picked.why == (
        "typical of a group of 4 similar units, none of which has a label",
        "typical of a group of 4 similar units, of which 1 are labeled or asked for already",
    )


def test_no_picked_unit_has_a_probability():
    assert pick_diverse(_world()[0], 3, [], seed=0).probability is None


def test_scale_of_a_column_does_not_matter():
    points, group = _world()
    stretched = points * np.array([1e6, 1.0])
    assert sorted(group[pick_diverse(stretched, 5, [], seed=0).position].tolist()) == [0, 1, 2, 3, 4]


def test_sparse_text_is_grouped_by_direction_not_length():
    """Three topics with words of their own; long and short documents of one topic are one group."""
    rng = np.random.default_rng(0)
    topic = np.repeat([0, 1, 2], (300, 200, 100))
    counts = np.zeros((600, 30))
    for i, t in enumerate(topic):
        counts[i, 10 * t : 10 * t + 10] = rng.poisson(rng.choice([3, 60]), 10) + 1
    picked = pick_diverse(sparse.csr_array(counts), 3, [], seed=0).position
    assert topic[picked].tolist() == [0, 1, 2]


def test_a_large_pool_is_grouped_by_a_part_and_the_count_is_of_the_whole():
    points = np.repeat([[0.0], [5.0]], (45_000, 15_000), axis=0) + np.linspace(0, 0.1, 60_000)[:, None]
    picked = pick_diverse(points, 2, [], seed=0)
    assert [i < 45_000 for i in picked.position] == [True, False]
    count = int(picked.why[0].split("group of ")[1].split(" ")[0].replace(",", ""))
    assert count == pytest.approx(45_000, rel=0.02)


def test_the_same_state_gives_the_same_units_and_another_seed_may_not():
    points = np.random.default_rng(0).normal(size=(300, 3))
    first, again, other = (pick_diverse(points, 6, [5], seed=seed).position.tolist() for seed in (2, 2, 3))
    assert first == again != other


def test_every_unit_comes_in_the_end_and_none_twice():
    points = np.random.default_rng(0).normal(size=(30, 2))
    drawn = pick_diverse(points, 20, [], seed=0).position.tolist()
    drawn += pick_diverse(points, 20, drawn, seed=0).position.tolist()
    assert sorted(drawn) == list(range(30))
    assert pick_diverse(points, 5, drawn, seed=0).position.tolist() == []


@pytest.mark.parametrize(
    ("features", "code"),
    [
        (np.zeros(5), "stats.wrong-shape"),
        (np.zeros((5, 0)), "stats.wrong-shape"),
        ([[np.nan]], "stats.value-not-finite"),
    ],
)
def test_features_that_cannot_be_grouped_are_refused(features, code):
    with pytest.raises(DataError) as refused:
        pick_diverse(features, 1, [], seed=0)
    assert refused.value.code == code
