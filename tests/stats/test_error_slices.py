"""Slices of higher loss are found, and chance slices are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from martello.errors import DataError
from martello.stats.error_slices import error_slices, holm_adjusted, slice_level, worst_errors
from martello.stats.estimate import NotEstimable


@pytest.fixture
def people():
    rng = np.random.default_rng(5)
    region = np.array(["east", "north", "south", "west"])[rng.integers(4, size=2000)]
    age = np.array(["old", "young"])[rng.integers(2, size=2000)]
    return rng, region, age


def test_a_bad_slice_is_found_with_its_excess(people):
    rng, region, age = people
    loss = rng.exponential(size=2000) + 1.0 * (region == "south")
    first = error_slices(loss, {"region": region, "age": age}, pairs=False)[0]
    inside = region == "south"
    assert first.columns == (("region", "south"),)
    assert first.n == inside.sum()
    assert first.excess.value == pytest.approx(loss[inside].mean() - loss[~inside].mean())
    assert first.share_of_loss.value == pytest.approx(loss[inside].sum() / loss.sum())


def test_the_share_of_loss_has_the_interval_of_a_ratio(people):
    """In a large sample, against the bootstrap of the ratio, by rows and by whole users."""
    rng, region, _ = people
    loss = rng.exponential(size=2000) + 1.0 * (region == "south")
    user = np.repeat(np.arange(400), 5)
    loss_of_users = rng.exponential(size=400)[user] + 1.5 * (region == "south")
    for losses, cluster in ((loss, None), (loss_of_users, user)):
        shown = error_slices(losses, {"region": region}, cluster=cluster)[0].share_of_loss
        unit = np.arange(2000) if cluster is None else cluster
        inside = np.bincount(unit, weights=losses * (region == "south"))
        whole = np.bincount(unit, weights=losses)
        drawn = rng.integers(len(whole), size=(2000, len(whole)))
        low, high = np.quantile(inside[drawn].sum(axis=1) / whole[drawn].sum(axis=1), [0.025, 0.975])
        assert (shown.low, shown.high) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_losses_below_0_have_no_shares(people):
    rng, _, age = people
    loss = rng.normal(size=2000) + 0.5 * (age == "old")
    share = error_slices(loss, {"age": age})[0].share_of_loss
    assert isinstance(share, NotEstimable)


def test_the_p_value_is_that_of_welchs_test_in_a_large_slice(people):
    rng, _, age = people
    loss = rng.normal(size=2000) + 0.3 * (age == "old")
    found = error_slices(loss, {"age": age}, pairs=False)[0]
    expected = stats.ttest_ind(loss[age == "old"], loss[age == "young"], equal_var=False, alternative="greater").pvalue
    assert np.log(found.p_value) == pytest.approx(np.log(expected), rel=0.02)


def test_a_pair_of_columns_is_found_when_only_together_they_are_bad(people):
    rng, region, age = people
    loss = rng.exponential(size=2000) + 2.0 * ((region == "west") & (age == "old"))
    assert error_slices(loss, {"region": region, "age": age})[0].columns == (("region", "west"), ("age", "old"))


def test_chance_alone_rarely_shows_a_slice(people):
    rng, region, age = people
    shown = [bool(error_slices(rng.exponential(size=2000), {"region": region, "age": age})) for _ in range(60)]
    assert np.mean(shown) < 0.15


def test_one_bad_cluster_is_not_a_bad_slice(people):
    """All of one slice's excess comes from one user, who is copied many times."""
    rng, _, _ = people
    user = np.repeat(np.arange(100), 20)
    city = np.where(user < 50, "here", "there")
    loss = rng.normal(size=100)[user] + 15.0 * (user == 0)
    assert error_slices(loss, {"city": city})
    assert error_slices(loss, {"city": city}, cluster=user) == ()


def test_small_slices_are_not_looked_at():
    loss = np.r_[np.zeros(100), np.full(10, 9.0)] + np.random.default_rng(1).random(110)
    column = np.r_[np.zeros(100), np.ones(10)]
    assert error_slices(loss, {"flag": column}, smallest=30) == ()
    assert len(error_slices(loss, {"flag": column}, smallest=10)) == 1


def test_worst_errors_come_first():
    loss = np.random.default_rng(2).random(200)
    assert [loss[row] for row in worst_errors(loss, top=5)] == sorted(loss, reverse=True)[:5]


def test_holms_adjustment_is_that_of_statsmodels():
    p = np.random.default_rng(3).random(20) ** 3
    assert holm_adjusted(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_the_level_of_slices_adds_up():
    assert 7 * (1 - slice_level(0.95, 7)) == pytest.approx(0.05)
    with pytest.raises(DataError) as caught:
        slice_level(0.95, 0)
    assert caught.value.code == "stats.count-out-of-range"
