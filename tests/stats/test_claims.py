"""A claim is its linear form: checked against scikit-learn on random labels and flags."""

import numpy as np
import pytest
from sklearn import metrics

from martello.errors import DataError
from martello.stats.claims import Claim, f_beta, precision, recall, specificity

ORACLES = {
    "precision": (precision, metrics.precision_score),
    "recall": (recall, metrics.recall_score),
    "specificity": (specificity, lambda y, f: metrics.recall_score(y, f, pos_label=0)),
    "F2": (lambda k: f_beta(k, beta=2), lambda y, f: metrics.fbeta_score(y, f, beta=2)),
    "jaccard": (
        lambda k: Claim(name="jaccard", at_least=k, top=(1, 0, 0, 0), bottom=(1, 1, 1, 0)),
        metrics.jaccard_score,
    ),
}


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("seed", range(5))
def test_claim_holds_exactly_when_the_mean_is_not_negative(name, seed):
    make, score = ORACLES[name]
    rng = np.random.default_rng(seed)
    flags = rng.random(60) < 0.4
    truth = np.where(flags, rng.random(60) < 0.8, rng.random(60) < 0.3)
    value = score(truth, flags)
    for k, expected in ((value - 0.01, True), (value + 0.01, False)):
        cells = [make(k).cell(flagged=bool(flag)) for flag in flags]
        mean = np.mean([cell.gain * y + cell.offset for cell, y in zip(cells, truth, strict=True)])
        assert (mean >= 0) == expected


def test_scale_holds_what_the_metric_can_be():
    cost = Claim(name="saving", at_least=0.0, top=(5.0, -1.0, 0.0, 0.0), bottom=(1, 1, 1, 1))
    assert cost.scale == (-1.0, 5.0)


@pytest.mark.parametrize(
    ("top", "bottom"),
    [((1, 0, 0, 0), (0, 1, 0, 0)), ((1, 0, 0, 0), (1, -1, 0, 0)), ((float("nan"), 0, 0, 0), (1, 1, 1, 1))],
)
def test_what_is_no_bounded_ratio_is_refused_by_name(top, bottom):
    with pytest.raises(DataError, match=r"stats\.claim-not-a-ratio"):
        Claim(name="odd", at_least=0.5, top=top, bottom=bottom)


def test_a_percentage_is_refused_by_name():
    with pytest.raises(DataError, match=r"stats\.requirement-out-of-range"):
        precision(80)
