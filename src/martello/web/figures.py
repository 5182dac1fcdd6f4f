"""The pictures of the report with their messages: which are shown, what each says, and the same numbers as a table.

A picture whose numbers are not known is not drawn empty: it says why, and what it would take.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from martello.records import Advice, Arm, Claim, Curve, Evaluation, Experiment, Measure
from martello.ship.gate import floors
from martello.ship.known import Known
from martello.ship.words import count, is_share, name_of, percent, say, say_between, say_short
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.web.charts import Row, calibration_chart, curve_chart, learning_chart, rows_chart
from martello.web.svg import draw
from martello.web.tables import Cell, Table, measure_cell

__all__ = ["Chapter", "Figure", "chapters"]

#: More rows than this are not compared by eye; the table has all of them.
_MOST_ROWS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One picture: `title` is its message; `missing` says why there is no picture."""

    name: str
    title: str
    note: str
    svg: Markup | None = None
    missing: str = ""
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Pictures that answer one question."""

    question: str
    figures: tuple[Figure, ...]


def chapters(known: Known) -> list[Chapter]:
    """Give every picture that the records allow, in the order of a reader's questions."""
    evaluation, experiment, advice = known.evaluation, known.experiment, known.advice
    found = [
        Chapter("How good is it?", _how_good(known)),
        Chapter("Does it hold for everyone?", _for_everyone(known, evaluation) if evaluation else ()),
        Chapter("Did it hold in use?", (_in_use(known, experiment),) if experiment else ()),
        Chapter("What next?", _what_next(advice) if advice else ()),
    ]
    return [chapter for chapter in found if chapter.figures]


def _figure(name: str, title: str, note: str, chart: dict[str, Any], table: Table | None = None) -> Figure:
    return Figure(
        name=name, title=title, note=note, svg=draw(chart, name=name, title=title, description=note), table=table
    )


def _rows_of(
    name: str, title: str, note: str, rows: Sequence[Row], chart: dict[str, Any], table: Table | None = None
) -> Figure:
    """Give a chart of rows, or say why none of them is known."""
    if any(isinstance(row.measure, Estimate) for row in rows):
        return _figure(name, title, note, chart, table)
    return Figure(name=name, title=title, note="", missing=_why(rows[0].measure), table=table)


def _why(measure: Measure) -> str:
    return f"{measure.reason}; needs {measure.needs}." if isinstance(measure, NotEstimable) else ""


# --- How good -------------------------------------------------------------------------------------------------------


def _how_good(known: Known) -> tuple[Figure, ...]:
    figures = [_against_agreed(known.evaluation) if known.evaluation else None, _operating_point(known)]
    if known.evaluation is not None and known.evaluation.calibration:
        figures.append(_calibration(known.evaluation))
    return tuple(figure for figure in figures if figure is not None)


def _against_agreed(evaluation: Evaluation) -> Figure | None:
    """Show where the intervals ended when the labels were asked for; else the curve shows what gold says."""
    claims = [claim for claim in evaluation.claims if claim.population == "everyone"]
    if evaluation.bought is None or not claims:
        return None
    rows = [Row(f"{name_of(c.metric)}, agreed {percent(c.floor)}", c.estimate, floor=c.floor) for c in claims]
    title = {
        Verdict.MET: "What was agreed is surely met",
        Verdict.NOT_MET: "What was agreed is surely not met",
        Verdict.UNDECIDED: "Whether what was agreed is met is not known yet",
    }[_verdict_of(claims)]
    when = "judged once" if evaluation.bought.is_fixed else "valid at whatever moment one stops"
    labels = count(evaluation.bought.n_labels, "label")
    note = f"Intervals after {labels}, {when}. The mark on each line is what was agreed."
    return _rows_of("agreed", title, note, rows, rows_chart(rows, metric="precision"))


def _verdict_of(claims: Sequence[Claim]) -> Verdict:
    verdicts = {claim.verdict for claim in claims}
    if Verdict.NOT_MET in verdicts:
        return Verdict.NOT_MET
    return Verdict.MET if verdicts == {Verdict.MET} else Verdict.UNDECIDED


def _operating_point(known: Known) -> Figure | None:
    point, evaluation = known.operating_point, known.evaluation
    if point is None or point.threshold is None:
        return None
    on_gold = evaluation is not None and evaluation.curve is not None  # bought labels draw no curve: dev does
    if evaluation is not None and on_gold:
        precision, recall, curve, where = (*_pair(evaluation), evaluation.curve, "gold")
    else:
        precision, recall, curve, where = point.precision, point.recall, point.curve, "dev"
    if curve is None or not curve.points:
        missing = _why(precision) or _why(recall) or "the curve was not made; needs scores of both classes."
        return Figure(name="curve", title="There is no curve to show", note="", missing=missing)
    title = _threshold_title(evaluation.claims if evaluation and on_gold else (), where)
    optimism = "" if where == "gold" else " Dev chose the threshold, so these numbers are optimistic."
    note = (
        f"At threshold {point.threshold:.3g} on {where}, precision is {say(precision)} and recall {say(recall)}. "
        f"The curve shows other thresholds, with their band at {percent(curve.level)}.{optimism}"
    )
    return _figure(
        "curve", title, note, curve_chart(curve, precision, recall, floors(known.spec.requirement)), _curve_table(curve)
    )


def _threshold_title(claims: Sequence[Claim], where: str) -> str:
    everyone = [claim for claim in claims if claim.population == "everyone"]
    if not everyone:
        return f"What the threshold trades{' on dev' if where == 'dev' else ''}: right against found"
    return {
        Verdict.NOT_MET: "The threshold lies below what was agreed",
        Verdict.UNDECIDED: "The threshold may lie below what was agreed",
        Verdict.MET: "The threshold lies surely above what was agreed",
    }[_verdict_of(everyone)]


def _pair(evaluation: Evaluation) -> tuple[Measure, Measure]:
    return evaluation.metrics["precision"], evaluation.metrics["recall"]


def _curve_table(curve: Curve) -> Table:
    step = max(1, len(curve.points) // 12)
    return Table(
        name="curve",
        title="The curve in numbers",
        lead="",
        head=("Threshold", "Flags", "Precision", "Recall"),
        rows=tuple(
            (
                Cell(f"{p.threshold:.3f}", "number"),
                Cell(percent(p.flagged_share, 1), "number"),
                _between(p.precision, p.precision_low, p.precision_high),
                _between(p.recall, p.recall_low, p.recall_high),
            )
            for p in curve.points[::step]
        ),
    )


def _between(value: float, low: float, high: float) -> Cell:
    return Cell(percent(value, 1), "number", f"{100 * low:.1f} to {100 * high:.1f}")


def _calibration(evaluation: Evaluation) -> Figure:
    points = evaluation.calibration
    known = [(p.mean_score, p.observed) for p in points if isinstance(p.observed, Estimate)]
    table = Table(
        name="calibration",
        title="Calibration in numbers",
        lead="",
        head=("Mean score", "Share that is true", "Units"),
        rows=tuple(
            (Cell(percent(p.mean_score, 1), "number"), measure_cell(p.observed), Cell(count(p.n), "number"))
            for p in points
        ),
    )
    if not known:
        missing = _why(points[0].observed)
        return Figure(name="calibration", title="Calibration is not known", note="", missing=missing, table=table)
    n_right = sum(observed.low <= score <= observed.high for score, observed in known)
    title = f"The score means what it says in {n_right} of {len(known)} groups"
    note = "Units of gold with like scores, and the share of them that is true. On the dashed line, the two are one."
    return _figure("calibration", title, note, calibration_chart(points), table)


# --- For everyone ---------------------------------------------------------------------------------------------------


def _for_everyone(known: Known, evaluation: Evaluation) -> tuple[Figure, ...]:
    agreed = floors(known.spec.requirement, len(evaluation.classes))
    figures = []
    if evaluation.slices:
        metrics = [m for m in evaluation.slices[0].metrics if is_share(m)]
        figures += [_slices(evaluation, metric, agreed.get(metric)) for metric in metrics[:2]]
    if len(evaluation.classes) > 2:
        figures += [_classes(evaluation, metric) for metric in ("precision", "recall")]
    return tuple(figures)


def _slices(evaluation: Evaluation, metric: str, floor: float | None) -> Figure:
    rows = [
        Row(f"{each.column} = {each.value}", each.metrics[metric], each.n)
        for each in evaluation.slices
        if metric in each.metrics
    ]
    claims = [c for c in evaluation.claims if c.metric == metric and c.population != "everyone"]
    everyone = Row("everyone", evaluation.metrics[metric], evaluation.n_gold)
    return _rows_figure(f"slices-{metric}", _slice_title(metric, floor, claims), rows, metric, floor, "slice", everyone)


def _slice_title(metric: str, floor: float | None, claims: Sequence[Claim]) -> str:
    name = _upper(name_of(metric))
    if floor is None or not claims:
        return f"{name} in every slice"
    met = sum(claim.verdict is Verdict.MET for claim in claims)
    return f"{name} is surely {percent(floor)} or more in {met} of {count(len(claims), 'slice')}"


def _classes(evaluation: Evaluation, metric: str) -> Figure:
    rows = [Row(c.name, c.precision if metric == "precision" else c.recall, c.n) for c in evaluation.classes]
    title = f"{_upper(name_of(metric))} of each class"
    return _rows_figure(f"classes-{metric}", title, rows, metric, None, "class")


def _rows_figure(
    name: str, title: str, rows: list[Row], metric: str, floor: float | None, thing: str, first: Row | None = None
) -> Figure:
    """Show the rows from the lowest, those that are not known last, as many as the eye can compare."""
    ordered = sorted(rows, key=lambda row: row.measure.value if isinstance(row.measure, Estimate) else 2.0)
    shown = ordered[:_MOST_ROWS]
    many = (
        f" The {len(shown)} lowest of {len(rows)}; all stand in the evidence below." if len(rows) > len(shown) else ""
    )
    note = f"Each {thing} with its interval, lowest first; n counts units of gold.{many}"
    drawn = [first, *shown] if first else shown
    return _rows_of(name, title, note, drawn, rows_chart(drawn, metric=metric, floor=floor))


# --- In use ---------------------------------------------------------------------------------------------------------


def _in_use(known: Known, experiment: Experiment) -> Figure:
    metric = experiment.metric
    place = "In the rehearsal" if experiment.is_rehearsal else "In use"
    rows = [
        Row("Gold promised", experiment.promised),
        Row(f"{place}, {count(experiment.n_outcomes, 'outcome')}", experiment.online),
    ]
    title = {
        "undecided": f"{place}, it is not decided whether it does as promised",
        "as promised": f"{place}, it did as gold promised",
        "better than promised": f"{place}, it did better than gold promised",
        "worse than promised": f"{place}, it did worse than gold promised",
    }[experiment.verdict]
    floor = floors(known.spec.requirement, len(known.labels.classes) if known.labels else 2).get(metric)
    table = Table(
        name="in-use",
        title="In use, in numbers",
        lead="",
        head=("What", _upper(name_of(metric))),
        rows=(
            *((Cell(row.name), measure_cell(row.measure, metric)) for row in rows),
            (Cell("Difference, in use minus promised"), _difference_cell(experiment.difference, metric)),
        ),
    )
    return _rows_of("in-use", title, _sent(known), rows, rows_chart(rows, metric=metric, floor=floor), table)


def _difference_cell(difference: Measure, metric: str) -> Cell:
    if not isinstance(difference, Estimate) or not is_share(metric):
        return measure_cell(difference, "difference")
    points = [f"{100 * value:+.1f}".replace("-", "−") for value in (difference.value, difference.low, difference.high)]
    return Cell(f"{points[0]} points", "number", f"{points[1]} to {points[2]}")


def _sent(known: Known) -> str:
    rehearsal = known.rehearsal
    if rehearsal is None:
        return "The agreed number over decisions and outcomes, beside what gold promised."
    rows = "rows that were not drawn" if rehearsal.rows_from == "reserve" else "gold's own rows"
    return (
        f"{count(rehearsal.n_sent)} {rows} went through the real server; {count(rehearsal.n_decisions, 'decision')} "
        f"and {count(rehearsal.n_outcomes, 'outcome')} are on disk; {count(rehearsal.n_score_differences, 'score')} "
        "differed from the offline score."
    )


# --- What next ------------------------------------------------------------------------------------------------------


def _what_next(advice: Advice) -> tuple[Figure, ...]:
    by_kind = {arm.kind: arm for arm in advice.arms}
    figures = [_arms(advice.arms)] if advice.arms else []
    if "more labels" in by_kind:
        figures.append(_learning(by_kind["more labels"]))
    if "other features" in by_kind and by_kind["other features"].detail:
        figures.append(_worth(by_kind["other features"]))
    return tuple(figures)


def _learning(arm: Arm) -> Figure:
    points = [(_size(name), m) for name, m in arm.detail if isinstance(m, Estimate)]
    sized = [(size, m) for size, m in points if size]
    note = f"{_upper(arm.what)}: a gain in log loss on dev of {say(arm.gain, 'gain')}."
    if not sized:
        reason = next((_why(m) for _, m in arm.detail), "") or _why(arm.gain)
        return Figure(name="learning", title="The learning curve is not known", note="", missing=reason)
    title = f"The last doubling of the data {_lowered(arm.gain)} the loss"
    return _figure(
        "learning", title, note, learning_chart(sized, title="log loss on dev"), _detail_table("learning", arm)
    )


def _size(name: str) -> int:
    digits = re.sub(r"\D", "", name)
    return int(digits) if digits else 0


def _lowered(gain: Measure) -> str:
    if isinstance(gain, Estimate) and gain.low > 0:
        return "lowered"
    return "raised" if isinstance(gain, Estimate) and gain.high < 0 else "did not surely lower"


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _arms(arms: Sequence[Arm]) -> Figure:
    proven = [arm for arm in arms if isinstance(arm.gain, Estimate) and arm.gain.low > 0]
    proven.sort(key=lambda arm: arm.gain.value if isinstance(arm.gain, Estimate) else 0.0, reverse=True)
    title = f"Of the ways on, {proven[0].kind} brought most" if proven else "No way on is shown to help"
    rows = [Row(arm.kind, arm.gain) for arm in arms]
    table = Table(
        name="arms",
        title="The ways on, in numbers",
        lead="",
        head=("Way", "Gain in log loss on dev", "What was measured"),
        rows=tuple((Cell(arm.kind), _gain_cell(arm.gain), Cell(arm.what)) for arm in arms),
    )
    note = "Gain in log loss on dev, with its interval; right of the dashed line is better."
    return _rows_of("arms", title, note, rows, rows_chart(rows, metric="gain", zero="no gain"), table)


def _worth(arm: Arm) -> Figure:
    rows = [Row(name, measure) for name, measure in arm.detail][:_MOST_ROWS]
    best = arm.detail[0]
    known = isinstance(best[1], Estimate)
    title = f"No other input can replace {best[0]}" if known and _is_proven(best[1]) else "What each input adds"
    note = f"What log loss on dev gains from each input, found by leaving it out: {say(arm.gain, 'gain')} on average."
    chart = rows_chart(rows, metric="gain", zero="adds nothing")
    return _rows_of("worth", title, note, rows, chart, _detail_table("worth", arm))


def _is_proven(measure: Measure) -> bool:
    return isinstance(measure, Estimate) and measure.low > 0


def _gain_cell(gain: Measure) -> Cell:
    if not isinstance(gain, Estimate):
        return measure_cell(gain, "gain")
    between = say_between(gain, "gain").removeprefix("between ").replace(" and ", " to ")
    return Cell(say_short(gain, "gain"), "number", between)


def _detail_table(name: str, arm: Arm) -> Table:
    head = ("Units trained on", "Log loss on dev") if name == "learning" else ("Input", "Gain in log loss on dev")
    return Table(
        name=name,
        title="In numbers",
        lead="",
        head=head,
        rows=tuple((Cell(_label(name, what), "name"), _gain_cell(measure)) for what, measure in arm.detail),
    )


def _label(name: str, what: str) -> str:
    return count(int(what)) if name == "learning" and what.isdigit() else what
