"""Calibrated weights against R's printed numbers, hand calculation and scipy's contingency fit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.linearization import SurveyDesign, survey_design
from martello.stats.survey import survey_mean, survey_total
from martello.stats.weighting import Margin, check_weights, kish_effective_n, post_stratify, rake

SCHOOLS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "survey_api"
needs_schools = pytest.mark.skipif(not SCHOOLS.exists(), reason=f"the school samples are not at {SCHOOLS}")
TYPES = {"E": 4421, "H": 755, "M": 1018}


def standard_error(estimate):
    df = int(estimate.method.split()[-2])
    return (estimate.high - estimate.low) / 2 / stats.t.ppf(0.975, df)


@pytest.fixture
def districts():
    d = pd.read_parquet(SCHOOLS / "apiclus1.parquet")
    return d, survey_design(weight=d.pw, cluster=d.dnum, stage_pi=(15 / d.fpc,))


@needs_schools
@pytest.mark.shared_data
def test_post_stratified_estimates_equal_the_printed_ones(districts):
    """R survey, recorded output: api00 642.31 (23.921), enroll 3680893 (406293)."""
    d, design = districts
    post = post_stratify(design, Margin(d.stype, TYPES))
    mean, total = survey_mean(post, d.api00), survey_total(post, d.enroll)
    assert (mean.value, standard_error(mean)) == pytest.approx((642.31, 23.921), abs=5e-3)
    assert (total.value, standard_error(total)) == pytest.approx((3_680_893, 406_293), abs=0.5)


@needs_schools
@pytest.mark.shared_data
def test_raked_estimates_equal_the_printed_ones(districts):
    """R survey, recorded output of calibrate(calfun="raking"), which iterates to the end: 641.23 (23.704)."""
    d, design = districts
    raked = rake(design, [Margin(d.stype, TYPES), Margin(d["sch.wide"], {"No": 1072, "Yes": 5122})])
    mean, total = survey_mean(raked, d.api00), survey_total(raked, d.enroll)
    assert (mean.value, standard_error(mean)) == pytest.approx((641.23, 23.704), abs=5e-3)
    assert (total.value, standard_error(total)) == pytest.approx((3_647_280, 400_603), abs=0.5)
    joint = (d.stype + d["sch.wide"]).to_numpy()
    population = pd.read_parquet(SCHOOLS / "apipop.parquet")
    counts = (population.stype + population["sch.wide"]).value_counts().to_dict()
    partly = rake(design, [Margin(joint, counts), Margin(d["comp.imp"], {"No": 1712, "Yes": 4482})])
    mean = survey_mean(partly, d.api00)
    assert (mean.value, standard_error(mean)) == pytest.approx((642.61, 22.731), abs=5e-3)


def test_values_that_agree_within_every_class_show_no_spread():
    design = survey_design(weight=np.full(6, 10.0))
    post = post_stratify(design, Margin(list("aaabbb"), {"a": 40, "b": 20}))
    for values in ([1.0, 1, 1, 0, 0, 0], np.ones(6)):
        assert isinstance(survey_total(post, values), NotEstimable)
        assert isinstance(survey_mean(post, values), NotEstimable)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.floats(0.5, 5)), max_size=40))
def test_raking_meets_every_margin_and_keeps_the_interactions(rows):
    rows = [*rows, *((a, b, 1.0) for a in "ab" for b in "xyz")]  # with an empty cell the margins may be out of reach
    left, right, weight = ([row[i] for row in rows] for i in range(3))
    counts = [{"a": 70.0, "b": 30.0}, {"x": 20.0, "y": 30.0, "z": 50.0}]
    raked = rake(survey_design(weight=weight), [Margin(left, counts[0]), Margin(right, counts[1])])
    assert isinstance(raked, SurveyDesign)
    check_weights(raked.weight, Margin(left, counts[0]))
    check_weights(raked.weight, Margin(right, counts[1]))
    factor = {(a, b): f for a, b, f in zip(left, right, raked.weight / np.array(weight), strict=True)}
    # The factor of a cell is a product of a row and a column factor: every odds ratio of the factors is 1.
    for other in "yz":
        odds = factor["a", "x"] * factor["b", other] / factor["a", other] / factor["b", "x"]
        assert odds == pytest.approx(1, rel=1e-6)


def test_kish_size_of_equal_weights_is_their_number():
    assert kish_effective_n(np.full(7, 3.0)) == pytest.approx(7)
    assert kish_effective_n([1.0, 0.0, 0.0]) == 1.0


def test_margins_that_no_positive_weights_meet_are_not_estimable():
    # The diagonal is all that was sampled: row and column counts would have to agree.
    crossed = [Margin(["a", "b"], {"a": 7, "b": 3}), Margin(["x", "y"], {"x": 5, "y": 5})]
    assert isinstance(rake(survey_design(weight=[1.0, 1.0]), crossed), NotEstimable)


def test_a_class_without_a_sampled_unit_is_not_estimable():
    assert isinstance(post_stratify(survey_design(weight=[1.0]), Margin(["a"], {"a": 1, "b": 2})), NotEstimable)


DESIGN = survey_design(weight=[1.0, 1.0])
AB = Margin(["a", "b"], {"a": 7, "b": 3})


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: rake(DESIGN, [AB, Margin(["x", "y"], {"x": 5, "y": 6})]), "stats.margins-disagree"),
        (lambda: rake(DESIGN, []), "stats.margins-disagree"),
        (lambda: rake(rake(DESIGN, [AB]), [AB]), "stats.already-calibrated"),
        (lambda: post_stratify(DESIGN, Margin(["a", "c"], {"a": 7, "b": 3})), "stats.margin-class-unknown"),
        (lambda: post_stratify(DESIGN, Margin(["a", None], {"a": 7, "b": 3})), "stats.margin-class-unknown"),
        (lambda: post_stratify(DESIGN, Margin(["a", "b"], {"a": 7, "b": 0})), "stats.margin-count"),
        (lambda: post_stratify(DESIGN, Margin(["a", "b"], {"a": 7, "b": float("nan")})), "stats.margin-count"),
        (lambda: post_stratify(DESIGN, Margin(["a"], {"a": 7})), "stats.length-mismatch"),
        (lambda: check_weights([6.0, 3.0], AB), "stats.weights-off-margin"),
        (lambda: check_weights([7.0, float("nan")], AB), "stats.weights-off-margin"),
    ],
)
def test_bad_margins_are_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
