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
    from martello.stats.active_sampling import TrainingSampler
    from martello.stats.aggregation_choice import AggregationChoice, choose_aggregation
    from martello.stats.agreement import (
        annotator_agreements,
        cohen_kappa,
        fleiss_kappa,
        krippendorff_alpha,
        pairwise_agreement,
    )
    from martello.stats.annotations import check_annotations
    from martello.stats.annotators import annotator_accuracies, annotator_confusion, dawid_skene, majority_vote
    from martello.stats.certification import Certification
    from martello.stats.compare import mcnemar, paired_difference, paired_metric_difference
    from martello.stats.difference import independent_difference
    from martello.stats.intervals import mean_estimate, proportion_interval, ratio_estimate
    from martello.stats.lure import lure_mean
    from martello.stats.metrics import estimate_metric
    from martello.stats.noise_ceiling import ceiling_from_agreement, ceiling_from_confusion
    from martello.stats.operating_point import choose_threshold, pr_curve
    from martello.stats.shares import precision_estimate, recall_estimate
    from martello.stats.suspects import find_suspects
    from martello.stats.training_draw import TrainingDraw

_PLACES = {
    "AggregationChoice": "aggregation_choice",
    "Certification": "certification",
    "TrainingDraw": "training_draw",
    "TrainingSampler": "active_sampling",
    "annotator_accuracies": "annotators",
    "annotator_agreements": "agreement",
    "annotator_confusion": "annotators",
    "ceiling_from_agreement": "noise_ceiling",
    "ceiling_from_confusion": "noise_ceiling",
    "check_annotations": "annotations",
    "choose_aggregation": "aggregation_choice",
    "choose_threshold": "operating_point",
    "cohen_kappa": "agreement",
    "dawid_skene": "annotators",
    "estimate_metric": "metrics",
    "find_suspects": "suspects",
    "fleiss_kappa": "agreement",
    "independent_difference": "difference",
    "krippendorff_alpha": "agreement",
    "lure_mean": "lure",
    "majority_vote": "annotators",
    "mcnemar": "compare",
    "mean_estimate": "intervals",
    "paired_difference": "compare",
    "paired_metric_difference": "compare",
    "pairwise_agreement": "agreement",
    "pr_curve": "operating_point",
    "precision_estimate": "shares",
    "proportion_interval": "intervals",
    "ratio_estimate": "intervals",
    "recall_estimate": "shares",
}

__all__ = [
    "AggregationChoice",
    "Certification",
    "Estimate",
    "NotEstimable",
    "TrainingDraw",
    "TrainingSampler",
    "Verdict",
    "annotator_accuracies",
    "annotator_agreements",
    "annotator_confusion",
    "ceiling_from_agreement",
    "ceiling_from_confusion",
    "check_annotations",
    "choose_aggregation",
    "choose_threshold",
    "cohen_kappa",
    "dawid_skene",
    "estimate_metric",
    "find_suspects",
    "fleiss_kappa",
    "independent_difference",
    "judge",
    "krippendorff_alpha",
    "lure_mean",
    "majority_vote",
    "mcnemar",
    "mean_estimate",
    "paired_difference",
    "paired_metric_difference",
    "pairwise_agreement",
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
