"""`martello evaluate`: the project's word; on a file, a verdict on its scores; with `--plan`, the cost of labels."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from martello.cli import gold_errors, word
from martello.cli.terminal import bold, columns, paragraph, print_json, say
from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.evaluate.file_verdict import FileVerdict, judge_file
from martello.evaluate.planning import LabelPlan, plan_labels
from martello.evaluate.rankings import RANKINGS, RankingRules
from martello.evaluate.scored_file import Columns
from martello.records import Measure
from martello.ship.words import count, is_share, name_of, percent
from martello.ship.words import say as say_measure
from martello.stats.estimate import Estimate, NotEstimable, Verdict

__all__ = ["add_options", "run"]

_SHOWN_SLICES = 40
#: Options that need a file, and those that a plan takes; neither means anything to the project's word.
_OF_A_FILE = (
    *("score", "label", "positive", "classes", "threshold", "weight", "pi", "population", "stratum", "cluster"),
    *("slice", "against", "query", "gain", "empty", "at"),
)
_OF_A_PLAN = ("expect", "prevalence")
_OF_BOTH = ("require", "level")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` takes."""
    word.add_options(parser)
    parser.add_argument("file", nargs="?", metavar="FILE", help="CSV or Parquet file of scores and labels, no project")
    file = parser.add_argument_group("on a file")
    file.add_argument("--score", metavar="COL", help="score in [0, 1]; one column per class: S0,S1,S2")
    file.add_argument("--label", metavar="COL", help="what is true; rows without are left out")
    file.add_argument("--positive", metavar="VALUE", help="the label that counts as yes (default: 1 or true)")
    file.add_argument("--classes", metavar="A,B,C", help="classes in the order of --score")
    file.add_argument("--threshold", metavar="T", type=float, help="scores at or above it say yes (default: 0.5)")
    file.add_argument("--weight", metavar="COL", help="design weight")
    file.add_argument("--pi", metavar="COL", help="inclusion probability, instead of --weight")
    file.add_argument("--population", metavar="N", type=int, help="units that the weights must add up to")
    file.add_argument("--stratum", metavar="COL", help="stratum of the draw")
    file.add_argument("--cluster", metavar="COL", help="what was drawn together")
    file.add_argument("--slice", metavar="COL", nargs="+", action="extend", help="must hold in each value, too")
    file.add_argument("--against", metavar="COL", help="score of another model, compared on the same rows")
    file.add_argument("--query", metavar="COL", help="rows are ranked lists: NDCG, MAP, MRR by query")
    file.add_argument("--gain", choices=("linear", "exponential"), help="of a relevance in NDCG (default: linear)")
    file.add_argument("--empty", choices=("skip", "zero", "one"), help="a query with nothing relevant (default: skip)")
    file.add_argument("--at", metavar="K", type=int, help="ranks that count for NDCG and MRR (default: all)")
    file.add_argument("--require", metavar="M=FLOOR", help="floors, such as precision=0.8,recall=0.3")
    file.add_argument("--level", metavar="L", type=float, help="confidence (default: 0.95)")
    parser.add_argument(
        "--show-gold",
        metavar="N",
        type=int,
        help="open a random tenth of gold and show its N worst errors; that tenth judges no more",
    )
    plan = parser.add_argument_group("before there are labels")
    plan.add_argument("--plan", action="store_true", help="how many labels --require would take")
    plan.add_argument("--expect", metavar="P", help="guess of the truth: 0.86, or precision=0.86,recall=0.5")
    plan.add_argument("--prevalence", metavar="P", type=float, help="share of positive units among all")


def run(arguments: argparse.Namespace) -> int:
    """Judge a file, plan, or do the project's word."""
    given = {name for name, value in vars(arguments).items() if value is not None}
    if arguments.plan:
        _refuse(given, _OF_A_FILE, "a plan is made before there are labels", "--require, --expect, --prevalence")
        return _plan(arguments)
    if arguments.file is None:
        _refuse(given, (*_OF_A_FILE, *_OF_A_PLAN, *_OF_BOTH), "no FILE is named", "martello evaluate FILE …, or --plan")
        return word.run(arguments) if arguments.show_gold is None else gold_errors.run(arguments)
    _refuse(given, _OF_A_PLAN, "there are labels already", "--plan without a file")
    return _file(arguments)


def _refuse(given: set[str], names: tuple[str, ...], why: str, expected: str) -> None:
    for name in names:
        if name in given:
            raise _disagree(f"--{name} has no meaning here: {why}", expected)


def _disagree(what: str, expected: str, fix: str = "") -> DataError:
    return DataError("evaluate.options-disagree", what, where="the command line", expected=expected, fix=fix)


def _level(arguments: argparse.Namespace) -> float:
    level = 0.95 if arguments.level is None else float(arguments.level)
    if not 0.5 < level < 1:
        raise DataError(
            "stats.level-out-of-range",
            f"level is {level:g}, not a confidence",
            where="--level",
            expected="a number between 0.5 and 1",
            fix="--level 0.95",
        )
    return level


def _floors(text: str | None, option: str = "require") -> dict[str, float]:
    """Read `precision=0.8,recall=0.3`."""
    floors: dict[str, float] = {}
    for part in (text or "").split(",") if text else ():
        name, _, value = (each.strip() for each in part.partition("="))
        try:
            floors[name] = float(value)
        except ValueError:
            raise DataError(
                "evaluate.requirement-unclear",
                f"{part!r} is no metric with a number",
                where=f"--{option}",
                expected="METRIC=NUMBER, separated by commas",
                fix=f"--{option} precision=0.8",
            ) from None
        if not 0 < floors[name] < 1:
            raise DataError(
                "stats.floor-out-of-range",
                f"{name} of {value} is no share",
                where=f"--{option}",
                expected="a number strictly between 0 and 1",
            )
    return floors


def _file(arguments: argparse.Namespace) -> int:
    if arguments.score is None or arguments.label is None:
        raise _disagree("a file needs --score and --label", "the columns of the score and of what is true")
    if arguments.query is None and any(getattr(arguments, name) is not None for name in ("gain", "empty", "at")):
        raise _disagree("--gain, --empty and --at are for rankings", "--query COL beside them")
    named: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("label", "positive", "weight", "pi", "stratum", "cluster", "query")
    }
    rules = {name: getattr(arguments, name) for name in ("gain", "empty", "at")}
    with DuckDBEngine(Path.cwd()) as engine:
        found = judge_file(
            engine,
            arguments.file,
            Columns(
                score=_split(arguments.score),
                against=_split(arguments.against),
                classes=_split(arguments.classes),
                slices=tuple(arguments.slice or ()),
                **named,
            ),
            floors=_floors(arguments.require),
            threshold=arguments.threshold,
            population=arguments.population,
            level=_level(arguments),
            rules=RankingRules(**{name: value for name, value in rules.items() if value is not None}),
        )
    if arguments.json:
        print_json(found)
    else:
        say(*_lines(found))
    return 0 if found.verdict in (None, Verdict.MET) else 1


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _lines(found: FileVerdict) -> Iterator[str]:
    """Write a verdict: the sentence, the numbers with their intervals, what to know."""
    yield bold(paragraph(_sentence(found)))
    yield ""
    yield from columns(_rows(found.metrics))
    of = (
        f"{found.n_queries:,} queries, {found.n:,} rows" if found.n_queries is not None else f"{found.n:,} labeled rows"
    )
    yield f"  {found.level:.0%} intervals; {of}; {found.design}"
    yield from _table("required", [_claim(claim) for claim in found.claims])
    slices = [
        (f"{each.column} = {each.value}", f"{each.n:,}", *(f"{_name(m)} {_short(v)}" for m, v in each.metrics.items()))
        for each in found.slices
    ]
    yield from _table("slices", slices[:_SHOWN_SLICES])
    if len(slices) > _SHOWN_SLICES:
        yield f"  … and {len(slices) - _SHOWN_SLICES} more; --json has all"
    yield from _table(
        "classes",
        [(c.name, f"{c.n:,}", f"precision {_short(c.precision)}", f"recall {_short(c.recall)}") for c in found.classes],
    )
    bins = [(f"{each.mean_score:.3f}", _short(each.observed), f"{each.n:,}") for each in found.calibration]
    yield from _table("calibration", [("mean score", "share of yes", "rows"), *bins] if bins else [])
    if found.comparison is not None:
        yield from _table(f"minus {', '.join(found.comparison.against)}", _rows(found.comparison.differences))
        if found.comparison.p_value is not None:
            right = f"{found.comparison.only_ours_right:,} to {found.comparison.only_theirs_right:,}"
            yield f"  right where the other is wrong: {right}; McNemar p = {found.comparison.p_value:.3g}"
    yield ""
    for claim in found.claims:
        if isinstance(claim.estimate, NotEstimable):
            yield paragraph(f"{_name(claim.metric)} of {claim.population}: {claim.estimate}.")
    for note in found.notes:
        yield paragraph(note)


def _table(title: str, rows: list[tuple[str, ...]]) -> list[str]:
    width = max((len(row) for row in rows), default=0)
    padded = [row + ("",) * (width - len(row)) for row in rows]
    return ["", f"  {title}", *columns(padded, indent="    ")] if rows else []


def _rows(measures: Mapping[str, Measure]) -> list[tuple[str, ...]]:
    return [(_name(name), str(measure)) for name, measure in measures.items()]


def _name(metric: str) -> str:
    return metric.upper() if metric in RANKINGS else name_of(metric)


def _short(measure: Measure) -> str:
    return str(measure) if isinstance(measure, Estimate) else "not known"


def _claim(claim: Any) -> tuple[str, ...]:
    low = "" if claim.low is None else f"surely at least {claim.low:.3f}"
    return (
        claim.verdict.value,
        f"{_name(claim.metric)} ≥ {claim.floor:g}",
        claim.population,
        _short(claim.estimate),
        low,
    )


def _sentence(found: FileVerdict) -> str:
    if found.verdict is None:
        return f"Measured: {count(found.n, 'labeled row')}; nothing was required, so nothing is judged."
    first = {Verdict.MET: "Met", Verdict.NOT_MET: "Not met", Verdict.UNDECIDED: "Undecided"}[found.verdict]
    behind = [claim for claim in found.claims if claim.verdict is found.verdict]
    said = [
        f"{_name(claim.metric)} of {claim.population} is {say_measure(claim.estimate, claim.metric, 1)}, "
        f"and {percent(claim.floor, 1) if is_share(claim.metric) else f'{claim.floor:g}'} is required"
        for claim in behind[:2]
    ]
    more = f"; and {len(behind) - 2} more" if len(behind) > 2 else ""
    return f"{first}: {'; '.join(said)}{more}."


def _plan(arguments: argparse.Namespace) -> int:
    floors = _floors(arguments.require)
    if not floors or arguments.expect is None:
        raise _disagree(
            "a plan needs a floor and a guess", "--require and --expect", "--plan --require precision=0.8 --expect 0.86"
        )
    guess = arguments.expect if "=" in arguments.expect else ",".join(f"{name}={arguments.expect}" for name in floors)
    level = _level(arguments)
    plans = plan_labels(floors, _floors(guess, "expect"), level=level, prevalence=arguments.prevalence)
    if arguments.json:
        print_json({"level": level, "power": 0.8, "plan": plans})
    else:
        say(*_plan_lines(plans, level))
    return 0


def _plan_lines(plans: tuple[LabelPlan, ...], level: float) -> Iterator[str]:
    for plan in plans:
        yield bold(paragraph(plan.statement))
        if not isinstance(plan.labels, NotEstimable):
            rows = [("gold set of fixed size", f"{plan.labels:,} labeled {plan.of} units")]
            if plan.units is not None:
                rows.append(("drawn at random from all", f"about {plan.units:,} units"))
            if not isinstance(plan.bound, NotEstimable):
                rows.append(("no rule decides on fewer", f"{plan.bound:,.0f} labels expected"))
            yield from columns(rows)
        yield ""
    yield paragraph(f"At {level:.0%} certainty, one-sided, with a chance of 80% to show it; one look; no slices.")
