"""A file of scores and labels judged by itself: what it says, beside another model, and where the requirement stands.

No project, no ledger: whoever asks the same labels often has to count the looks alone, and is told so.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from martello.engines.base import Engine
from martello.errors import DataError, nearest
from martello.evaluate.assess import measure, output_of
from martello.evaluate.claims import overall_verdict
from martello.evaluate.comparison import Comparison, compare_scores
from martello.evaluate.rankings import RANKINGS, RankingRules, judge_rankings
from martello.evaluate.scored_file import Columns, read_ranked_file, read_scored_file
from martello.evaluate.units import ScoredUnits
from martello.records import CalibrationPoint, Claim, ClassResult, Measure, SliceResult
from martello.stats.checks import check_design
from martello.stats.estimate import Verdict

__all__ = ["FileVerdict", "judge_file"]


class FileVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of scores and labels says.

    Attributes
    ----------
    n, n_unlabeled
        Labeled rows, which everything speaks of, and rows left out for want of a label.
    design
        How the rows were taken to be drawn.
    level
        Confidence of each interval by itself, and of the verdict.
    threshold
        Scores at or above it say yes; None for several classes and for rankings.
    verdict
        Of the whole requirement; None when nothing was required.
    rules, n_queries
        Of a ranking.
    notes
        What a reader has to know to take the numbers for what they are.
    """

    file: str
    score: tuple[str, ...]
    label: str
    n: int
    n_unlabeled: int
    design: str
    level: float
    threshold: float | None
    metrics: dict[str, Measure]
    claims: tuple[Claim, ...]
    verdict: Verdict | None
    slices: tuple[SliceResult, ...]
    classes: tuple[ClassResult, ...] = ()
    calibration: tuple[CalibrationPoint, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    comparison: Comparison | None = None
    rules: RankingRules | None = None
    n_queries: int | None = None
    notes: tuple[str, ...] = ()


def judge_file(
    engine: Engine,
    source: str,
    columns: Columns,
    *,
    floors: Mapping[str, float],
    threshold: float | None = None,
    population: int | None = None,
    level: float = 0.95,
    rules: RankingRules | None = None,
    seed: int = 0,
) -> FileVerdict:
    """Judge the scores of a file by its labels.

    Parameters
    ----------
    engine
        What reads the file.
    source
        The file, or a glob.
    columns
        Which columns are what.
    floors
        Required metrics with their floors, of everyone and of each value of each slice.
    threshold
        Scores at or above it say yes; 0.5 when None. Not for several classes or rankings.
    population
        Units that the design weights must add up to; not checked when None. Not for rankings.
    level
        Confidence: each floor is certified at a one-sided error of 1 - level.
    rules
        For rankings; linear gain, queries with nothing relevant left out, all ranks, when None.
    seed
        Of resampling.

    Raises
    ------
    DataError
        What `read_scored_file` refuses; ``evaluate.requirement-unclear`` when a metric is required that this task does
        not have.
    """
    if columns.query is not None:
        if population is not None:
            raise DataError(
                "evaluate.options-disagree",
                "the weights of a ranking's rows are those of their queries and add up to no population",
                where="the command line",
                expected="no --population beside --query",
            )
        return _ranked(engine, source, columns, rules or RankingRules(), floors, threshold, level)
    is_binary = len(columns.score) == 1 or len(columns.classes) == 2
    if not is_binary and threshold is not None:
        raise DataError(
            "evaluate.options-disagree",
            "with several classes there is no threshold: the class with the highest score is the output",
            where="the command line",
            expected="no --threshold",
        )
    required = _known(floors, ("precision", "recall", "f1"), prefix="" if is_binary else "macro_")
    file = read_scored_file(engine, source, columns, population=population)
    units, error = file.units, 1 - level
    used = (0.5 if threshold is None else threshold) if is_binary else None
    found = measure(
        units, classes=file.classes, threshold=used, floors=required.items(), level=level, error=error, seed=seed
    )
    comparison = None
    if file.against is not None:
        outputs = output_of(units.scores, used), output_of(file.against, used)
        comparison = compare_scores(
            units, file.against, outputs=outputs, against=columns.against, level=level, seed=seed
        )
    return FileVerdict(
        file=source,
        score=columns.score,
        label=columns.label,
        n=len(units.truth),
        n_unlabeled=file.n_unlabeled,
        design=_design(units),
        level=level,
        threshold=used,
        metrics=found.metrics,
        claims=found.claims,
        verdict=overall_verdict(found.claims) if required else None,
        slices=found.slices,
        classes=found.classes,
        calibration=found.calibration,
        confusion=found.confusion,
        comparison=comparison,
        notes=(*_threshold_notes(is_binary, threshold), *_notes(file.n_unlabeled, bool(required))),
    )


def _ranked(
    engine: Engine,
    source: str,
    columns: Columns,
    rules: RankingRules,
    floors: Mapping[str, float],
    threshold: float | None,
    level: float,
) -> FileVerdict:
    if threshold is not None:
        raise DataError(
            "evaluate.options-disagree",
            "a ranking has no threshold",
            where="the command line",
            expected="no --threshold beside --query",
        )
    required = _known(floors, RANKINGS)
    rows = read_ranked_file(engine, source, columns)
    found = judge_rankings(rows, rules, floors=required, against=columns.against, level=level, error=1 - level)
    said = {"skip": "are left out", "zero": "count as 0", "one": "count as 1"}[rules.empty]
    cut = "all ranks count" if rules.at is None else f"NDCG and MRR count the first {rules.at} ranks"
    return FileVerdict(
        file=source,
        score=columns.score,
        label=columns.label,
        n=len(rows.query),
        n_unlabeled=rows.n_unlabeled,
        design=_design(rows.units, "queries"),
        level=level,
        threshold=None,
        metrics=found.metrics,
        claims=found.claims,
        verdict=overall_verdict(found.claims) if required else None,
        slices=found.slices,
        comparison=found.comparison,
        rules=rules,
        n_queries=found.n_queries,
        notes=(
            f"Means over {found.n_queries:,} queries; {rules.gain} gain; {cut}; the {found.n_empty:,} queries with "
            f"nothing relevant {said}.",
            *_notes(rows.n_unlabeled, bool(required)),
        ),
    )


def _known(floors: Mapping[str, float], metrics: tuple[str, ...], prefix: str = "") -> dict[str, float]:
    """Give the floors under the names the metrics go by; refuse those that cannot be required here."""
    known = {name.removeprefix(prefix): f"{prefix}{name.removeprefix(prefix)}" for name in metrics}
    for name in floors:
        if name.removeprefix(prefix) not in known:
            close = nearest(name, known)
            raise DataError(
                "evaluate.requirement-unclear",
                f"{name} cannot be required here",
                where="--require",
                expected="a floor for " + ", ".join(known),
                fix=f"--require {close}={floors[name]:g}" if close else "",
            )
    return {known[name.removeprefix(prefix)]: floor for name, floor in floors.items()}


def _design(units: ScoredUnits, rows: str = "rows") -> str:
    """Say how the rows were taken to be drawn."""
    parts = []
    if units.strata is not None:
        parts.append(f"{len(set(units.strata.stratum.tolist())):,} strata")
    if units.cluster is not None:
        parts.append(f"{len(set(units.cluster.tolist())):,} clusters")
    if check_design(len(units.weight), units.weight).weight is not None:
        kish = float(units.weight.sum() ** 2 / (units.weight**2).sum())
        parts.append(f"unequal weights, which leave {kish:,.0f} of {len(units.weight):,} rows by Kish's rule")
    return "; ".join(parts) or f"{rows} drawn one by one, all with the same chance"


def _threshold_notes(is_binary: bool, threshold: float | None) -> tuple[str, ...]:
    if not is_binary:
        return ("The class with the highest score is the output.",)
    if threshold is None:
        return ("No threshold was given: 0.5 was used. Choose one on other labels and name it with --threshold.",)
    return (
        f"If {threshold:g} was chosen on these same labels, precision and recall are optimistic and the verdict does "
        "not hold: choose on dev, judge on gold.",
    )


def _notes(n_unlabeled: int, is_judged: bool) -> tuple[str, ...]:
    notes = []
    if n_unlabeled:
        notes.append(
            f"{n_unlabeled:,} rows have no label and were left out: the numbers hold for all only if labels are "
            "missing by chance."
        )
    if is_judged:
        notes.append(
            "The verdict is for one look at these labels; asking them again with another model or threshold is "
            "another, and only a project counts them."
        )
    return tuple(notes)
