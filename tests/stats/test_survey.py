"""Survey estimates against the numbers printed by R's survey package, and statsmodels.

Printed numbers: the package's site (example-summary) and its own recorded test output. The data are read where they lie
and are not part of this repository.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.linearization import survey_design
from martello.stats.survey import design_effect, survey_mean, survey_ratio, survey_total

SCHOOLS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "survey_api"
needs_schools = pytest.mark.skipif(not SCHOOLS.exists(), reason=f"the school samples are not at {SCHOOLS}")


def schools(name):
    return pd.read_parquet(SCHOOLS / f"{name}.parquet")


def standard_error(estimate):
    df = int(estimate.method.split()[-2])
    return (estimate.high - estimate.low) / 2 / stats.t.ppf(0.5 + estimate.level / 2, df)


def shows(estimate, value, error):
    """Both numbers agree to the six digits (or fewer) that were printed."""
    for got, printed in ((estimate.value, value), (standard_error(estimate), error)):
        digits = len(printed.partition(".")[2])
        assert f"{got:.{digits}f}" == printed


@needs_schools
@pytest.mark.shared_data
class TestPrintedNumbers:
    def test_stratified(self):
        d = schools("apistrat")
        share = d.groupby("stype").stype.transform("size") / d.fpc
        design = survey_design(weight=d.pw, stratum=d.stype, stage_pi=(share,))
        shows(survey_mean(design, d.api00), "662.2874", "9.4089")
        shows(survey_total(design, d.enroll), "3687178", "114642")
        shows(survey_total(design, d["api.stu"]), "3086009", "99477")
        # R predicts the total of api.stu by the ratio: 3190038 (29565.98) = 3811472 times the ratio.
        ratio = survey_ratio(design, d["api.stu"], d.enroll)
        assert ratio.value * 3_811_472 == pytest.approx(3_190_038, abs=0.5)
        assert standard_error(ratio) * 3_811_472 == pytest.approx(29_565.98, abs=0.01)
        assert "t with 197 df" in ratio.method

    def test_one_stage_clusters(self):
        d = schools("apiclus1")
        design = survey_design(weight=d.pw, cluster=d.dnum, stage_pi=(15 / d.fpc,))
        shows(survey_mean(design, d.api00), "644.169399", "23.5422")
        shows(survey_mean(design, d.api99), "606.978142", "24.2250")
        shows(survey_mean(design, d.stype == "E"), "0.786885", "0.0463")
        shows(survey_mean(design, d.stype == "H"), "0.076503", "0.0268")
        shows(survey_mean(design, d.stype == "M"), "0.136612", "0.0296")
        shows(survey_total(design, d.enroll), "3404940.13", "932235.03")

    def test_two_stages_with_and_without_replacement(self):
        d = schools("apiclus2")
        first, second = 40 / d.fpc1, d.groupby("dnum").dnum.transform("size") / d.fpc2
        known = d.enroll.notna().to_numpy()
        enroll = d.enroll.to_numpy(float, na_value=np.nan)
        design = survey_design(pi=first * second, cluster=d.dnum, stage_pi=(first, second))
        shows(survey_mean(design, d.api00), "670.8118", "30.0990")
        shows(survey_total(design, enroll, domain=known), "2639273", "799638")
        again = survey_design(weight=d.pw, cluster=d.dnum)
        shows(survey_mean(again, d.api00), "670.81", "30.712")
        shows(survey_total(again, enroll, domain=known), "2639273", "820261")

    def test_simple_random_sample_against_the_whole_population(self):
        d = schools("apisrs")
        mean = survey_mean(survey_design(weight=d.pw, stage_pi=(200 / d.fpc,)), d.api00)
        error = d.api00.std() / np.sqrt(200) * np.sqrt(1 - 200 / 6194)
        assert standard_error(mean) == pytest.approx(error, rel=1e-6)
        assert mean.low < 664.7126 < mean.high

    def test_the_three_rules_for_a_lonely_cluster(self):
        d = schools("apiclus1")
        design = survey_design(weight=d.pw, stratum=d.dnum)
        assert isinstance(survey_mean(design, d.api00), NotEstimable)
        shows(survey_mean(design, d.api00, lonely="certainty"), "644.17", "5.8058")
        shows(survey_mean(design, d.api00, lonely="center"), "644.17", "5.8281")
        size = d.groupby("dnum").dnum.transform("size")
        taken = survey_design(weight=d.pw, stratum=d.dnum, stage_pi=(size / np.where(d.dnum == 413, 1, 1000),))
        shows(survey_mean(taken, d.api00), "644.17", "5.7344")


def test_the_design_effect_of_a_printed_example_with_unequal_weights():
    """Ten firms, recorded output of R survey's deff test: mean 243.914, SE 48.752, DEff (replace) 1.974067."""
    sales = [15, 143, 21, 51, 337, 50, 274, 145, 15, 86]
    mean = survey_mean(survey_design(weight=[20, 200, 11, 25, 550, 30, 250, 100, 10, 55]), sales)
    shows(mean, "243.914", "48.752")
    assert design_effect(mean) == pytest.approx(1.974067, abs=5e-7)


def test_clustered_means_agree_with_cluster_robust_regression():
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(25), 8)
    y = rng.normal(size=25)[cluster] + rng.normal(size=200)
    fit = sm.OLS(y, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False})
    mean = survey_mean(survey_design(weight=np.full(200, 3.0), cluster=cluster), y)
    assert standard_error(mean) == pytest.approx(fit.bse[0] * np.sqrt(25 / 24), rel=1e-9)


def test_an_unweighted_mean_is_the_textbook_t_interval():
    y = np.random.default_rng(0).normal(size=40)
    mean = survey_mean(survey_design(weight=np.ones(40)), y, level=0.9)
    low, high = stats.t.interval(0.9, 39, y.mean(), stats.sem(y))
    assert (mean.low, mean.high) == pytest.approx((low, high))
    assert mean.effective_n == pytest.approx(40)


def test_a_domain_mean_is_the_ratio_of_the_domain_s_totals_not_the_mean_of_a_smaller_sample():
    rng = np.random.default_rng(8)
    y, inside, cluster = rng.normal(5, 1, 60), rng.uniform(size=60) < 0.4, np.repeat(np.arange(12), 5)
    design = survey_design(weight=rng.uniform(1, 3, 60), cluster=cluster)
    mean = survey_mean(design, np.where(inside, y, np.nan), domain=inside)
    ratio = survey_ratio(design, y * inside, inside.astype(float))
    assert (mean.value, mean.low, mean.high) == pytest.approx((ratio.value, ratio.low, ratio.high))
    assert mean.n == inside.sum()


def test_a_census_has_no_sampling_error():
    total = survey_total(survey_design(pi=np.ones(4), stage_pi=(np.ones(4),)), [1.0, 2.0, 3.0, 4.0])
    assert (total.low, total.value, total.high) == (10.0, 10.0, 10.0)


@pytest.mark.parametrize(
    "answer",
    [
        lambda d: survey_mean(d, np.ones(6)),
        lambda d: survey_mean(d, np.full(6, 0.1), domain=np.arange(6) < 5),
        lambda d: survey_total(d, np.zeros(6)),
        lambda d: survey_mean(d, np.arange(6.0), domain=np.zeros(6, bool)),
        lambda d: survey_ratio(d, np.ones(6), np.zeros(6)),
        lambda d: survey_mean(survey_design(weight=np.ones(6), cluster=np.zeros(6)), np.arange(6.0), lonely="center"),
    ],
)
def test_what_a_sample_cannot_tell_is_not_estimable(answer):
    result = answer(survey_design(weight=np.array([1.0, 3.0, 7.0, 0.3, 1.1, 2.0])))
    assert isinstance(result, NotEstimable)
    assert isinstance(design_effect(result), NotEstimable)


def test_a_total_has_no_design_effect():
    total = survey_total(survey_design(weight=[1.0, 1.0]), [1.0, 2.0])
    assert isinstance(total, Estimate)
    assert isinstance(design_effect(total), NotEstimable)


TWO = {"weight": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: survey_mean(survey_design(**TWO), [1.0, float("nan")]), "stats.value-not-finite"),
        (lambda: survey_mean(survey_design(**TWO), [1.0, 2.0, 3.0]), "stats.length-mismatch"),
        (lambda: survey_mean(survey_design(**TWO), [1.0, 2.0], level=95), "stats.level-out-of-range"),
        (lambda: survey_mean(survey_design(**TWO), [1.0, 2.0], domain=[True]), "stats.length-mismatch"),
    ],
)
def test_bad_input_is_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
