"""The science: arrays in, an `Estimate` or the reason why there is none out. No input or output, no clock, no global
seed.

A statistician can read this package alone. Every public function says what it assumes and what it guarantees; what is
guaranteed is simulated in `tests/guarantees`. Names are loaded when first used, since the serving process reads records
and must not pay for scipy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from martello.stats.estimate import Estimate, NotEstimable, Verdict, judge

if TYPE_CHECKING:
    from martello.stats.certification import Certification
    from martello.stats.compare import mcnemar, paired_difference, paired_metric_difference
    from martello.stats.difference import independent_difference
    from martello.stats.intervals import mean_estimate, proportion_interval, ratio_estimate
    from martello.stats.metrics import estimate_metric
    from martello.stats.operating_point import choose_threshold, pr_curve
    from martello.stats.shares import precision_estimate, recall_estimate

_PLACES = {
    "Certification": "certification",
    "choose_threshold": "operating_point",
    "estimate_metric": "metrics",
    "independent_difference": "difference",
    "mcnemar": "compare",
    "mean_estimate": "intervals",
    "paired_difference": "compare",
    "paired_metric_difference": "compare",
    "pr_curve": "operating_point",
    "precision_estimate": "shares",
    "proportion_interval": "intervals",
    "ratio_estimate": "intervals",
    "recall_estimate": "shares",
}

__all__ = [
    "Certification",
    "Estimate",
    "NotEstimable",
    "Verdict",
    "choose_threshold",
    "estimate_metric",
    "independent_difference",
    "judge",
    "mcnemar",
    "mean_estimate",
    "paired_difference",
    "paired_metric_difference",
    "pr_curve",
    "precision_estimate",
    "proportion_interval",
    "ratio_estimate",
    "recall_estimate",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"martello.stats.{_PLACES[name]}"), name)
