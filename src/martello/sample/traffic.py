"""Sample against deployed traffic: what differs, by how much, and what that would do to the metric.

Columns of both sides go in, effect sizes with intervals and a verdict come out. Each column is turned into one or more
aspects (its values, its missing share, the length of a text, the hour of a moment); each aspect is compared by total
variation, all together by a classifier that tells traffic from sample. Nothing here reads a file or a log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy import special
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from martello.errors import DataError
from martello.sample.aspects import Aspect, Floats, Kind, aspects_of
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.harm import density_ratio, expected_change
from martello.stats.linearization import survey_design
from martello.stats.shift import ShiftVerdict, judge_shift, quantile_bins, total_variation, two_sample_auc
from martello.stats.weighting import kish_effective_n

__all__ = ["Effect", "Kind", "TrafficComparison", "compare_traffic"]


_BINS = 10
_FOLDS = 5
_LEAST_ROWS = 100  # on each side, for a classifier to learn anything
#: Rows of either side that models learn from, four fifths in each fold, and no more: what the classifier finds then
#: means the same at any number of rows. With fewer it can miss a shift, and may not say "not shifted".
_ENOUGH_ROWS = 6250
_BOOSTED = {"max_iter": 80, "max_leaf_nodes": 8, "early_stopping": False}
_TOO_FEW = NotEstimable(
    reason=f"fewer than {_LEAST_ROWS} rows on one side", needs=f"at least {_LEAST_ROWS} rows on each side"
)


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """How much one aspect of a column differs: the share of rows that would have to change for the sides to agree."""

    column: str
    aspect: str
    effect: Estimate | NotEstimable
    verdict: ShiftVerdict
    change: str  # from what in the sample to what in traffic, where it is largest


class TrafficComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between sample and traffic.

    Attributes
    ----------
    verdict
        Of everything together: shifted when anything is, not shifted when nothing is.
    material, level
        The size that matters, and the confidence of all verdicts together.
    effects
        Largest first.
    together
        Two-sample AUC of the out-of-fold classifier; its distance from 0.5 is never above the total variation.
    effective_n
        What the sampled rows are worth when weighted to look like traffic.
    change
        Expected change of the mean of the loss, traffic minus sample; None when no loss was given.
    rows_needed
        Rows on each side that decide about a column that has not shifted at all.
    left_out
        Columns that were not compared, and why.
    """

    verdict: ShiftVerdict
    n_sample: int
    n_traffic: int
    material: float
    level: float
    effects: tuple[Effect, ...]
    together: Estimate | NotEstimable
    together_verdict: ShiftVerdict
    effective_n: float | None
    change: Estimate | NotEstimable | None
    rows_needed: int
    left_out: dict[str, str]


def compare_traffic(
    sample: pa.Table,
    traffic: pa.Table,
    *,
    kinds: Mapping[str, Kind] | None = None,
    weight: ArrayLike | None = None,
    loss: ArrayLike | None = None,
    material: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[TrafficComparison, Floats | None]:
    """Compare what was sampled with what the product meets.

    Parameters
    ----------
    sample, traffic
        A row per unit; the columns that both have are compared.
    kinds
        Declared kinds; those of other columns are told from types and values.
    weight
        Design weights 1/π of the sample, shape (n,); they clear a sample drawn unevenly on purpose of suspicion.
    loss
        Each sampled row's part of the metric (a loss, or whether the answer was right), NaN where not judged.
    material
        Smallest difference that matters, in (0, 1): a share of rows.
    level
        Confidence of all verdicts together.
    seed
        Of the classifier's folds.

    Returns
    -------
    The comparison, and the density ratio of traffic to the sample for every sampled row (None without a classifier).

    Raises
    ------
    DataError
        ``sample.no-common-column``, ``stats.empty``, ``stats.material-size``, ``stats.length-mismatch``,
        ``stats.weight-not-positive``, ``stats.level-out-of-range``.

    Notes
    -----
    Each of the k intervals has level 1 - (1 - level)/k (Bonferroni), so all verdicts hold together at `level`. Rare
    categories are taken together; the smaller of their shares is added to the upper end, since so much could differ
    among them. Rows are taken as independent.
    """
    if not 0 < material < 1:
        raise DataError(
            "stats.material-size", f"material is {material}", expected="a number in (0, 1)", fix="material=0.05"
        )
    n, m = sample.num_rows, traffic.num_rows
    if not min(n, m):
        raise DataError("stats.empty", "one side has no rows", expected="rows in sample and traffic")
    w = _checked(weight, n)
    aspects, left_out = _compared(sample, traffic, kinds or {})
    each = 1 - (1 - level) / (len(aspects) + 1)
    effects = [_effect(aspect, w, each, material) for aspect in aspects]
    effects.sort(key=lambda one: one.effect.value if isinstance(one.effect, Estimate) else -1, reverse=True)
    together: Estimate | NotEstimable = _TOO_FEW
    change: Estimate | NotEstimable | None = None if loss is None else _TOO_FEW
    ratio = None
    if min(n, m) >= _LEAST_ROWS:
        rows = _stack(aspects, w, seed)
        scores = rows.cross_fitted(HistGradientBoostingClassifier, rows.is_traffic, rows.rank >= 0)
        together = two_sample_auc(scores[:n], scores[n:], sample_weight=w, level=each)
        ratio = _ratio(rows, scores)
        change = None if loss is None else _change(rows, ratio, _checked(loss, n), level)
    verdict_together = _judge_together(together, material, min(n, m))
    return TrafficComparison(
        verdict=_overall([*(effect.verdict for effect in effects), verdict_together]),
        n_sample=n,
        n_traffic=m,
        material=material,
        level=level,
        effects=tuple(effects),
        together=together,
        together_verdict=verdict_together,
        effective_n=None if ratio is None else float(kish_effective_n(w * ratio)),
        change=change,
        rows_needed=_rows_needed(each, material),
        left_out=left_out,
    ), ratio


def _compared(sample: pa.Table, traffic: pa.Table, kinds: Mapping[str, Kind]) -> tuple[list[Aspect], dict[str, str]]:
    """Give what is compared, and the columns that are not."""
    aspects: list[Aspect] = []
    left_out: dict[str, str] = {}
    for name in dict.fromkeys([*sample.column_names, *traffic.column_names]):
        if name not in sample.column_names or name not in traffic.column_names:
            left_out[name] = "only in " + ("the sample" if name in sample.column_names else "traffic")
            continue
        found = aspects_of(name, sample[name], traffic[name], kinds.get(name))
        if isinstance(found, str):
            left_out[name] = found
        else:
            aspects += found
    if not aspects:
        raise DataError(
            "sample.no-common-column",
            "sample and traffic share no column that can be compared",
            where=f"sample: {', '.join(sample.column_names[:6])}; traffic: {', '.join(traffic.column_names[:6])}",
            expected="columns of the same names on both sides, with values",
            fix="name the columns of one side as the other does",
        )
    return aspects, left_out


def _checked(values: ArrayLike | None, n: int) -> Floats:
    array = np.ones(n) if values is None else np.asarray(values, dtype=np.float64)
    if array.shape != (n,):
        raise DataError("stats.length-mismatch", f"there are {array.size} values", expected=f"{n}, one per sampled row")
    return array


def _effect(aspect: Aspect, weight: Floats, level: float, material: float) -> Effect:
    here, there = ~np.isnan(aspect.sample), ~np.isnan(aspect.traffic)
    x, y, w = aspect.sample[here], aspect.traffic[there], weight[here]
    effect: Estimate | NotEstimable = NotEstimable(reason="no value on one side", needs="values on both sides")
    change = "-"
    if x.size and y.size:
        codes = (x, y) if aspect.labels else quantile_bins(x, y, bins=_BINS)
        effect = total_variation(*codes, sample_weight=w, level=level)
        change = _moved(x, y, w, aspect.labels)
    if aspect.has_rare and isinstance(effect, Estimate):
        last = len(aspect.labels or ()) - 1
        hidden = min(float(np.average(x == last, weights=w)), float(np.mean(y == last)))
        effect = msgspec.structs.replace(effect, high=min(1.0, effect.high + hidden))
    verdict = judge_shift(effect, material=material)
    return Effect(column=aspect.column, aspect=aspect.name, effect=effect, verdict=verdict, change=change)


def _moved(x: Floats, y: Floats, w: Floats, labels: tuple[str, ...] | None) -> str:
    """Tell the largest change of a share, or the change of the middle."""
    if labels:
        p = np.bincount(x.astype(np.intp), weights=w, minlength=len(labels)) / w.sum()
        q = np.bincount(y.astype(np.intp), minlength=len(labels)) / y.size
        most = int(np.argmax(np.abs(q - p)))
        return f"{labels[most]}: {100 * p[most]:.1f} % to {100 * q[most]:.1f} %"
    before, after = np.quantile(x, 0.5, weights=w, method="inverted_cdf"), np.median(y)
    if before != after:
        return f"median {before:.4g} to {after:.4g}"
    return f"mean {np.average(x, weights=w):.4g} to {y.mean():.4g}"


def _overall(verdicts: list[ShiftVerdict]) -> ShiftVerdict:
    if ShiftVerdict.SHIFTED in verdicts:
        return ShiftVerdict.SHIFTED
    return ShiftVerdict.UNDECIDED if ShiftVerdict.UNDECIDED in verdicts else ShiftVerdict.NOT_SHIFTED


def _rows_needed(level: float, material: float) -> int:
    """Rows a side so that the upper end for equal bins stays below material, and the classifier learns its fill."""
    z = float(special.ndtri(0.5 + level / 2))
    noise = math.sqrt((_BINS - 1) / math.pi)  # mean plain total variation of equal sides, times √rows
    needed = ((noise + z / math.sqrt(2)) / material) ** 2
    return max(math.ceil(needed / 100) * 100, _ENOUGH_ROWS)


@dataclass(frozen=True, slots=True)
class _Rows:
    """All aspects of both sides, the sample first; each row has a random rank on its side, and a fold."""

    values: Floats
    is_traffic: NDArray[np.bool_]
    weight: Floats
    rank: NDArray[np.intp]
    fold: NDArray[np.intp]
    options: dict[str, Any]

    def cross_fitted(self, model: Any, target: NDArray[Any], may_teach: NDArray[np.bool_]) -> Floats:
        """Ask for every row a model that did not learn from its fold."""
        answers = np.empty(self.rank.size)
        with threadpool_limits(1, user_api="openmp"):  # a thread that waits for a taken core costs more than it gives
            for held_out in range(_FOLDS):
                asked = self.fold == held_out
                teach = may_teach & ~asked & (self.rank < _ENOUGH_ROWS)
                learned = model(**self.options).fit(self.values[teach], target[teach], sample_weight=self.weight[teach])
                answer = getattr(learned, "decision_function", learned.predict)
                answers[asked] = answer(self.values[asked])
        return answers


def _stack(aspects: list[Aspect], weight: Floats, seed: int) -> _Rows:
    n, m = aspects[0].sample.size, aspects[0].traffic.size
    rng = np.random.default_rng(seed)
    labeled = [aspect.labels is not None for aspect in aspects]
    values = np.column_stack([np.concatenate([aspect.sample, aspect.traffic]) for aspect in aspects])
    rank = np.concatenate([rng.permutation(n), rng.permutation(m)])
    return _Rows(
        values=values,
        is_traffic=np.repeat([False, True], [n, m]),
        weight=np.concatenate([weight / weight.sum(), np.full(m, 1 / m)]) * (n + m) / 2,  # both sides weigh the same
        rank=rank,
        fold=_folds(values, n, rank, rng),
        options={**_BOOSTED, "categorical_features": labeled, "random_state": seed},
    )


def _folds(values: Floats, n: int, rank: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Keep copies in one fold: a model that learned from a row's twin on the other side takes it for that side.

    Where most rows have a twin on their own side, equal rows are types and not copies, and must be in all folds.
    """
    content = np.ascontiguousarray(values).view(f"V{values.shape[1] * 8}").ravel()
    kinds, codes = np.unique(content, return_inverse=True)
    n_twins = codes.size - np.unique(codes[:n]).size - np.unique(codes[n:]).size
    return rank % _FOLDS if 2 * n_twins > codes.size else rng.permutation(kinds.size)[codes] % _FOLDS


def _judge_together(auc: Estimate | NotEstimable, material: float, fewest: int) -> ShiftVerdict:
    verdict = judge_shift(auc, material=material, neutral=0.5)
    if verdict is ShiftVerdict.SHIFTED:  # below 0.5 the classifier has met copies, not a shift
        return verdict if isinstance(auc, Estimate) and auc.value > 0.5 else ShiftVerdict.UNDECIDED
    return verdict if fewest >= _ENOUGH_ROWS else ShiftVerdict.UNDECIDED


def _ratio(rows: _Rows, scores: Floats) -> Floats:
    """Calibrate scores by a logistic curve (Platt), and turn those of the sample into density ratios."""
    curve = LogisticRegression(C=1e3).fit(scores[:, None], rows.is_traffic, sample_weight=rows.weight)
    chance = np.minimum(curve.predict_proba(scores[~rows.is_traffic, None])[:, 1], 1 - 1e-9)
    return density_ratio(chance, n_sample=1, n_traffic=1)


def _change(rows: _Rows, ratio: Floats, loss: Floats, level: float) -> Estimate | NotEstimable:
    """Estimate the change of the mean loss: predicted by a regression, plus what weighting adds to its residuals.

    Doubly robust (Robins & Rotnitzky 1995): an error of the ratio and one of the regression count by their product.
    """
    judged = ~np.isnan(loss)
    if judged.sum() < _LEAST_ROWS:
        return NotEstimable(reason=f"{judged.sum()} sampled rows were judged", needs=f"at least {_LEAST_ROWS}")
    target = np.concatenate([loss, np.full(rows.rank.size - loss.size, np.nan)])
    expected = rows.cross_fitted(HistGradientBoostingRegressor, target, ~np.isnan(target))
    here, there = expected[: loss.size][judged], expected[rows.is_traffic]
    w = rows.weight[: loss.size][judged]
    rest = expected_change(survey_design(weight=w), loss[judged] - here, ratio[judged], level=level)
    if isinstance(rest, NotEstimable):
        return rest
    mean = np.average(here, weights=w)
    error = math.sqrt(there.var() / there.size + (w**2 @ (here - mean) ** 2) / w.sum() ** 2)
    open_, value = float(special.ndtri(0.5 + level / 2)) * error, rest.value + float(there.mean() - mean)
    return msgspec.structs.replace(
        rest,
        value=value,
        low=value - math.hypot(rest.value - rest.low, open_),
        high=value + math.hypot(rest.high - rest.value, open_),
        method="doubly robust importance weighting",
    )
