"""Margins against their definition, picks against a sort, draws against their recorded probabilities."""

import numpy as np
import pytest
from scipy.stats import chisquare

from martello.errors import DataError
from martello.stats.margin import draw_by_margin, margin, pick_by_margin

RNG = np.random.default_rng(3)
MANY = RNG.dirichlet(np.ones(4), size=500)
FIVE = np.array([[0.5, 0.5], [0.6, 0.4], [0.1, 0.9], [1.0, 0.0], [0.45, 0.55]])


def test_the_margin_is_the_highest_score_minus_the_second():
    expected = [max(row) - sorted(row)[-2] for row in MANY.tolist()]
    assert margin(MANY) == pytest.approx(np.array(expected))


def test_picked_are_those_of_smallest_margin_that_were_not_drawn_yet():
    drawn = [4, 17, 300]
    by_hand = [i for i in sorted(range(500), key=lambda i: margin(MANY)[i]) if i not in drawn]
    assert pick_by_margin(MANY, 30, drawn, seed=1).position.tolist() == by_hand[:30]


def test_a_picked_unit_has_no_probability():
    assert pick_by_margin(MANY, 30, [], seed=1).probability is None


def test_ties_do_not_favor_the_head_of_the_file():
    """A model that knows nothing must not label a sorted file from its first row on."""
    alike = np.full((2000, 2), 0.5)
    picked = pick_by_margin(alike, 200, [], seed=5).position
    assert len(set(picked.tolist())) == 200
    assert 800 < np.mean(picked) < 1200


def test_the_reason_names_both_scores_and_no_class():
    drawn = pick_by_margin(FIVE, 3, [0], seed=0)
    assert drawn.position.tolist() == [4, 1, 2]
    assert drawn.why[0] == "the model is least sure here: 0.45 against 0.55"
    assert drawn.why[1] == "the model is least sure here: 0.40 against 0.60"


def _twins():
    """Twenty near-copies of the unit in most doubt, and five units in less doubt, far from them."""
    yes = np.concatenate([0.5 + np.arange(20) / 1e4, [0.52, 0.53, 0.54, 0.55, 0.56], np.full(50, 0.99)])
    points = np.concatenate([np.zeros(20), [10.0, 20.0, 30.0, 40.0, 40.1], np.linspace(-40, -20, 50)])
    return np.column_stack([1 - yes, yes]), points[:, None]


def test_with_features_a_batch_is_not_spent_on_copies_of_one_doubt():
    scores, points = _twins()
    assert pick_by_margin(scores, 5, [], seed=0).position.tolist() == list(range(5))
    for seed in range(20):
        spread = pick_by_margin(scores, 5, [], seed=seed, features=points)
        assert spread.position[0] == 0, "the least sure of all stands for its copies"
        assert (spread.position < 20).sum() <= 2
        assert spread.why[0] == "the model is least sure here, of 20 similar units: 0.50 against 0.50"
        assert "the model is least sure here: 0.48 against 0.52" in spread.why


def test_where_groups_are_few_the_least_sure_of_the_rest_fill_the_batch():
    scores, _ = _twins()
    alike = pick_by_margin(scores, 6, [], seed=0, features=np.ones((75, 1)))
    assert alike.position.tolist() == list(range(6))


def test_sure_units_are_out_of_reach_however_different_they_are():
    scores, points = _twins()
    assert max(pick_by_margin(scores, 5, [], seed=0, features=points, reach=5).position) < 25


def _chances(scores, power, floor):
    unsure = [(1 - abs(a - b)) ** power for a, b in scores]
    return np.array([(1 - floor) * one / sum(unsure) + floor / len(unsure) for one in unsure])


def test_first_draws_fall_as_power_and_floor_say():
    first = [draw_by_margin(FIVE, 1, [], seed=s, power=2, floor=0.3) for s in range(4000)]
    chances = _chances(FIVE.tolist(), 2, 0.3)
    assert chisquare(np.bincount([d.position[0] for d in first], minlength=5), 4000 * chances).pvalue > 1e-3
    assert [d.probability[0] for d in first] == pytest.approx([chances[d.position[0]] for d in first])


def test_second_draws_have_their_chance_among_those_left():
    chances = _chances(FIVE.tolist(), 3, 0.2)
    for seed in range(50):
        drawn = draw_by_margin(FIVE, 2, [], seed=seed)
        first, second = drawn.position
        assert drawn.probability[1] == pytest.approx(chances[second] / (1 - chances[first]))


def test_no_unit_left_is_less_likely_than_the_floor_times_a_random_draw():
    drawn = draw_by_margin(MANY, 500, [], seed=2, power=8, floor=0.1)
    assert sorted(drawn.position.tolist()) == list(range(500))
    left = 500 - np.arange(500)
    assert (drawn.probability * left).min() > 0.1
    assert drawn.probability[-1] == 1.0


def test_a_power_of_0_is_a_random_draw():
    drawn = draw_by_margin(MANY, 500, [], seed=2, power=0)
    assert drawn.probability == pytest.approx(1 / (500 - np.arange(500)))


def test_a_model_that_is_sure_everywhere_still_draws():
    drawn = draw_by_margin(np.tile([0.0, 1.0], (4, 1)), 2, [], seed=0)
    assert drawn.probability == pytest.approx([1 / 4, 1 / 3])


def test_a_likely_unit_and_one_drawn_for_honesty_say_so():
    drawn = draw_by_margin(FIVE, 5, [], seed=0)
    why = dict(zip(drawn.position.tolist(), drawn.why, strict=True))
    times = 5 * _chances(FIVE.tolist(), 3, 0.2)[0]
    assert why[0] == (
        f"drawn by chance, {times:.1f} times as likely as a random unit, since the model is unsure here: "
        "0.50 against 0.50"
    )
    assert why[3] == "drawn by chance, so that numbers stay honest"


@pytest.mark.parametrize("sample", [pick_by_margin, draw_by_margin])
def test_fewer_come_back_when_fewer_are_left_and_none_when_none(sample):
    assert sorted(sample(FIVE, 9, [0, 1, 2], seed=0).position.tolist()) == [3, 4]
    assert sample(FIVE, 9, range(5), seed=0).position.tolist() == []
    assert sample(FIVE, 0, [], seed=0).position.tolist() == []


@pytest.mark.parametrize("sample", [pick_by_margin, draw_by_margin])
def test_the_same_state_gives_the_same_batch(sample):
    first, again = (sample(MANY, 20, [3], seed=9) for _ in range(2))
    assert first.position.tolist() == again.position.tolist()


def test_settings_that_would_leave_units_out_are_refused():
    with pytest.raises(DataError, match=r"stats\.not-a-probability"):
        draw_by_margin(FIVE, 1, [], seed=0, floor=0.0)
    with pytest.raises(DataError, match=r"stats\.value-not-finite"):
        draw_by_margin(FIVE, 1, [], seed=0, power=-1.0)


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(DataError, match=r"stats\.score-not-a-probability"):
        pick_by_margin([[0.5, 0.9]], 1, [], seed=0)
