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
    from martello.stats.arms import ArmMean, adjusted_arms, arm_mean
    from martello.stats.certification import Certification
    from martello.stats.compare import mcnemar, paired_difference, paired_metric_difference
    from martello.stats.confidence_sequence import always_valid_estimate
    from martello.stats.difference import independent_difference
    from martello.stats.discoveries import find_discoveries
    from martello.stats.effects import Effect, effect_estimate, mean_effect, poststratified_effect, relative_estimate
    from martello.stats.interleaving import balanced_credit, preference, team_draft
    from martello.stats.intervals import mean_estimate, proportion_interval, ratio_estimate
    from martello.stats.link_slope import link_slope
    from martello.stats.lure import lure_mean
    from martello.stats.metrics import estimate_metric
    from martello.stats.noise_ceiling import ceiling_from_agreement, ceiling_from_confusion
    from martello.stats.noninferiority import Margin, margin_effect
    from martello.stats.offpolicy import doubly_robust_value, ips_value, snips_value, switch_value
    from martello.stats.operating_point import choose_threshold, pr_curve
    from martello.stats.quantile_effect import quantile_effect
    from martello.stats.sample_ratio import sample_ratio_p, watch_sample_ratio
    from martello.stats.shares import precision_estimate, recall_estimate
    from martello.stats.spending import classic_bounds, spending_bounds
    from martello.stats.stopped_effect import stagewise_estimate
    from martello.stats.sums import Sums, merge_sums, sums_of
    from martello.stats.suspects import find_suspects
    from martello.stats.training_draw import TrainingDraw
    from martello.stats.winners_curse import selected_estimate, shrunken_estimate

_PLACES = {
    "AggregationChoice": "aggregation_choice",
    "ArmMean": "arms",
    "Certification": "certification",
    "Effect": "effects",
    "Margin": "noninferiority",
    "Sums": "sums",
    "TrainingDraw": "training_draw",
    "TrainingSampler": "active_sampling",
    "adjusted_arms": "arms",
    "always_valid_estimate": "confidence_sequence",
    "annotator_accuracies": "annotators",
    "annotator_agreements": "agreement",
    "annotator_confusion": "annotators",
    "arm_mean": "arms",
    "balanced_credit": "interleaving",
    "ceiling_from_agreement": "noise_ceiling",
    "ceiling_from_confusion": "noise_ceiling",
    "check_annotations": "annotations",
    "choose_aggregation": "aggregation_choice",
    "choose_threshold": "operating_point",
    "classic_bounds": "spending",
    "cohen_kappa": "agreement",
    "dawid_skene": "annotators",
    "doubly_robust_value": "offpolicy",
    "effect_estimate": "effects",
    "estimate_metric": "metrics",
    "find_discoveries": "discoveries",
    "find_suspects": "suspects",
    "fleiss_kappa": "agreement",
    "independent_difference": "difference",
    "ips_value": "offpolicy",
    "krippendorff_alpha": "agreement",
    "link_slope": "link_slope",
    "lure_mean": "lure",
    "majority_vote": "annotators",
    "margin_effect": "noninferiority",
    "mcnemar": "compare",
    "mean_effect": "effects",
    "mean_estimate": "intervals",
    "merge_sums": "sums",
    "paired_difference": "compare",
    "paired_metric_difference": "compare",
    "pairwise_agreement": "agreement",
    "poststratified_effect": "effects",
    "pr_curve": "operating_point",
    "precision_estimate": "shares",
    "preference": "interleaving",
    "proportion_interval": "intervals",
    "quantile_effect": "quantile_effect",
    "ratio_estimate": "intervals",
    "recall_estimate": "shares",
    "relative_estimate": "effects",
    "sample_ratio_p": "sample_ratio",
    "selected_estimate": "winners_curse",
    "shrunken_estimate": "winners_curse",
    "snips_value": "offpolicy",
    "spending_bounds": "spending",
    "stagewise_estimate": "stopped_effect",
    "sums_of": "sums",
    "switch_value": "offpolicy",
    "team_draft": "interleaving",
    "watch_sample_ratio": "sample_ratio",
}

__all__ = [
    "AggregationChoice",
    "ArmMean",
    "Certification",
    "Effect",
    "Estimate",
    "Margin",
    "NotEstimable",
    "Sums",
    "TrainingDraw",
    "TrainingSampler",
    "Verdict",
    "adjusted_arms",
    "always_valid_estimate",
    "annotator_accuracies",
    "annotator_agreements",
    "annotator_confusion",
    "arm_mean",
    "balanced_credit",
    "ceiling_from_agreement",
    "ceiling_from_confusion",
    "check_annotations",
    "choose_aggregation",
    "choose_threshold",
    "classic_bounds",
    "cohen_kappa",
    "dawid_skene",
    "doubly_robust_value",
    "effect_estimate",
    "estimate_metric",
    "find_discoveries",
    "find_suspects",
    "fleiss_kappa",
    "independent_difference",
    "ips_value",
    "judge",
    "krippendorff_alpha",
    "link_slope",
    "lure_mean",
    "majority_vote",
    "margin_effect",
    "mcnemar",
    "mean_effect",
    "mean_estimate",
    "merge_sums",
    "paired_difference",
    "paired_metric_difference",
    "pairwise_agreement",
    "poststratified_effect",
    "pr_curve",
    "precision_estimate",
    "preference",
    "proportion_interval",
    "quantile_effect",
    "ratio_estimate",
    "recall_estimate",
    "relative_estimate",
    "sample_ratio_p",
    "selected_estimate",
    "shrunken_estimate",
    "snips_value",
    "spending_bounds",
    "stagewise_estimate",
    "sums_of",
    "switch_value",
    "team_draft",
    "watch_sample_ratio",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"martello.stats.{_PLACES[name]}"), name)
