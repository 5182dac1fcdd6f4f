"""The policy: how it begins, when it goes on, and which of its labels may estimate."""

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.active_sampling import TrainingSampler
from martello.stats.diverse_start import pick_diverse
from martello.stats.lure import lure_mean
from martello.stats.margin import pick_by_margin

RNG = np.random.default_rng(8)
POINTS = RNG.normal(size=(300, 2))
YES = 1 / (1 + np.exp(-3 * POINTS[:, 0]))
SCORES = np.column_stack([1 - YES, YES])


def points():
    return POINTS


def never():
    raise AssertionError("only margin needs features")


def test_without_a_model_margin_begins_diverse():
    drawn = TrainingSampler(n_pool=300, seed=4).draw(5, [], features=points)
    assert drawn.position.tolist() == pick_diverse(POINTS, 5, [], seed=4).position.tolist()


def test_without_a_model_and_features_it_begins_at_random_and_says_so():
    drawn = TrainingSampler(n_pool=300, seed=4).draw(5, [])
    assert drawn.probability == pytest.approx(1 / (300 - np.arange(5)))
    assert set(drawn.why) == {"drawn at random, so that numbers stay honest"}


def test_it_goes_on_by_margin_when_every_class_has_enough_labels():
    sampler = TrainingSampler(n_pool=300, per_class=3, seed=4)
    drawn = list(range(10))
    begins = sampler.draw(5, drawn, n_per_class=[8, 2], scores=SCORES, features=points)
    goes_on = sampler.draw(5, drawn, n_per_class=[7, 3], scores=SCORES, features=points)
    plainly = sampler.draw(5, drawn, n_per_class=[7, 3], scores=SCORES)
    assert begins.position.tolist() == pick_diverse(POINTS, 5, drawn, seed=4).position.tolist()
    by_margin = pick_by_margin(SCORES, 5, drawn, seed=4, features=POINTS)
    assert goes_on.position.tolist() == by_margin.position.tolist()
    assert plainly.position.tolist() == pick_by_margin(SCORES, 5, drawn, seed=4).position.tolist()


def test_a_class_that_does_not_turn_up_does_not_hold_the_start_forever():
    sampler = TrainingSampler(n_pool=300, start_at_most=40)
    assert sampler.is_starting(39, [39, 0])
    assert not sampler.is_starting(40, [40, 0])


@pytest.mark.parametrize("method", ["pps-margin", "random"])
def test_with_probabilities_every_label_from_the_first_on_can_estimate(method):
    """Two hundred labels by turns of drawing and labelling, the start included, give the share of the pool."""
    sampler = TrainingSampler(n_pool=300, method=method, seed=1)
    labels = RNG.random(300) < YES
    drawn, q = [], []
    while len(drawn) < 200:
        counts = [int(np.sum(labels[drawn] == label)) for label in (False, True)]
        batch = sampler.draw(20, drawn, n_per_class=counts, scores=SCORES if min(counts) else None, features=never)
        drawn, q = drawn + list(batch.position), q + list(batch.probability)
    assert len(set(drawn)) == 200
    found = lure_mean(labels[drawn], q, 300)
    assert found.low <= labels.mean() <= found.high


def test_margin_labels_can_never_estimate():
    drawn = TrainingSampler(n_pool=300).draw(20, range(50), n_per_class=[25, 25], scores=SCORES)
    assert drawn.probability is None
    assert "can never become gold" in lure_mean(np.zeros(20), [drawn.probability] * 20, 250).reason


def test_pps_margin_draws_near_the_boundary_more_often_than_random():
    """The mean margin of what each draws."""
    mean = {}
    for method in ("pps-margin", "random"):
        sampler = TrainingSampler(n_pool=300, method=method, seed=2)
        drawn = sampler.draw(80, range(20), n_per_class=[10, 10], scores=SCORES)
        mean[method] = np.abs(2 * YES - 1)[drawn.position].mean()
    assert mean["pps-margin"] < 0.8 * mean["random"]


def test_scores_and_features_of_another_pool_are_refused():
    sampler = TrainingSampler(n_pool=299)
    with pytest.raises(DataError, match=r"stats\.length-mismatch"):
        sampler.draw(5, [], features=points)
    with pytest.raises(DataError, match=r"stats\.length-mismatch"):
        sampler.draw(5, [1, 2], n_per_class=[5, 5], scores=SCORES)


def test_a_method_that_does_not_exist_is_refused():
    with pytest.raises(DataError, match=r"stats\.sampler-unknown"):
        TrainingSampler(n_pool=3, method="best")
