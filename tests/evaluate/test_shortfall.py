from __future__ import annotations

import re

import numpy as np
from scipy.stats import binom

from martello.evaluate.assess import measure
from martello.evaluate.units import ScoredUnits
from martello.records import Claim
from martello.stats.estimate import Estimate, NotEstimable, Verdict


def claims_of(tiny: list[bool]) -> dict[str, Claim]:
    """1,000 flagged units of site a, 860 of them right, and some flagged units of a tiny site."""
    truth = np.array([1] * 860 + [0] * 140 + [int(each) for each in tiny])
    scores = np.tile([0.1, 0.9], (len(truth), 1))
    units = ScoredUnits(
        truth=truth,
        scores=scores,
        weight=np.ones(len(truth)),
        cluster=None,
        slices={"site": ["a"] * 1000 + ["tiny"] * len(tiny)},
    )
    found = measure(
        units, classes=("no", "yes"), threshold=0.5, floors=[("precision", 0.8)], level=0.95, error=0.05, seed=0
    )
    (shown,) = [each for each in found.slices if each.value == "tiny"]
    claims = {claim.population: claim for claim in found.claims}
    assert shown.metrics["precision"] == claims["site = tiny"].estimate
    return claims


def fewest_labels(rate: float, floor: float, error: float, power: float) -> int:
    """By brute force: the n from which on the exact test shows it with this power, whatever larger n."""
    n = np.arange(1, 3000)
    enough = binom.sf(binom.isf(error, n, floor), n, rate) >= power
    return int(n[~enough][-1]) + 1


def test_a_slice_that_could_never_prove_the_floor_says_how_many_flagged_units_it_takes() -> None:
    claim = claims_of([True] * 5)["site = tiny"]
    assert isinstance(claim.estimate, NotEstimable)
    assert claim.verdict is Verdict.UNDECIDED
    told = re.search(r"about ([\d,]+) flagged units", claim.estimate.needs)
    assert told is not None
    assert int(told[1].replace(",", "")) == fewest_labels(865 / 1005, 0.8, 0.05, 0.8)


def test_the_line_is_where_all_right_would_prove_the_floor() -> None:
    # 0.8^14 = 0.044 proves it at an error of 0.05, 0.8^13 = 0.055 does not
    assert isinstance(claims_of([True] * 12 + [False])["site = tiny"].estimate, NotEstimable)
    assert isinstance(claims_of([True] * 13 + [False])["site = tiny"].estimate, Estimate)


def test_few_units_that_refute_the_floor_still_refute_it() -> None:
    claim = claims_of([False] * 5)["site = tiny"]
    assert claim.verdict is Verdict.NOT_MET
    assert isinstance(claim.estimate, Estimate)
