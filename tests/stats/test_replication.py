"""The jackknife against R's printed numbers and against linearization, with which it agrees exactly for totals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from martello.stats.estimate import NotEstimable
from martello.stats.linearization import survey_design
from martello.stats.replication import jackknife
from martello.stats.survey import survey_total
from martello.stats.weighting import Margin, post_stratify

SCHOOLS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "survey_api"


def standard_error(estimate):
    df = int(estimate.method.split()[-2])
    return (estimate.high - estimate.low) / 2 / stats.t.ppf(0.975, df)


@pytest.mark.skipif(not SCHOOLS.exists(), reason=f"the school samples are not at {SCHOOLS}")
@pytest.mark.shared_data
def test_jackknife_of_the_cluster_sample_equals_the_printed_numbers():
    d = pd.read_parquet(SCHOOLS / "apiclus1.parquet")
    design = survey_design(weight=d.pw, cluster=d.dnum, stage_pi=(15 / d.fpc,))
    api00, enroll = d.api00.to_numpy(float), d.enroll.to_numpy(float)
    mean = jackknife(design, lambda w: float(w @ api00 / w.sum()))
    assert (mean.value, standard_error(mean)) == pytest.approx((644.169399, 26.3294), abs=5e-5)
    total = jackknife(design, lambda w: float(w @ enroll))
    assert standard_error(total) == pytest.approx(932_235.03, abs=5e-3)

    def calibrated(w):
        rows = w > 0
        margin = Margin(d.stype[rows], {"E": 4421, "H": 755, "M": 1018})
        return float(post_stratify(survey_design(weight=w[rows]), margin).weight @ enroll[rows])

    post = jackknife(design, calibrated)
    assert (post.value, standard_error(post)) == pytest.approx((3_680_893, 473_431), abs=0.5)


def test_the_jackknife_of_a_total_is_the_linearized_one_in_any_one_stage_design():
    rng = np.random.default_rng(5)
    stratum, cluster = np.repeat(np.arange(4), 30), np.arange(120) // 5
    first = np.repeat([0.2, 0.5, 1.0, 0.1], 30)
    y = rng.normal(10, 3, 120)
    design = survey_design(pi=first, stratum=stratum, cluster=cluster, stage_pi=(first,))
    replicated, linearized = jackknife(design, lambda w: float(w @ y)), survey_total(design, y)
    assert (replicated.low, replicated.high) == pytest.approx((linearized.low, linearized.high))


def test_a_lonely_cluster_needs_a_rule():
    design = survey_design(weight=np.ones(5), stratum=["a", "a", "b", "b", "c"])
    y = np.arange(5.0)
    assert isinstance(jackknife(design, lambda w: float(w @ y)), NotEstimable)
    assert jackknife(design, lambda w: float(w @ y), lonely="certainty").value == 10.0


def test_a_statistic_that_fails_without_one_cluster_is_not_estimable():
    design = survey_design(weight=np.ones(3))
    assert isinstance(jackknife(design, lambda w: float("nan") if w[0] == 0 else 1.0), NotEstimable)
