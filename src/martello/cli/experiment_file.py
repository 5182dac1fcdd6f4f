"""The actions of `martello experiment` on files: read the options, ask the room, say it in plain words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import msgspec

from martello.cli.terminal import bold, columns, paragraph, print_json, say
from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.experiment.analyze import analyze_events, analyze_sums, read_contract
from martello.experiment.contract import Contract, Guardrail
from martello.experiment.events import EventColumns, baseline_of_events
from martello.experiment.history import encode_history
from martello.experiment.offpolicy_file import LogColumns, OffPolicy, evaluate_log
from martello.experiment.plan import Baseline, Plan, plan_experiment
from martello.experiment.rules import Call
from martello.experiment.verdict import ExperimentVerdict, encode_verdict
from martello.records import Measure
from martello.stats.estimate import NotEstimable
from martello.store.blobs import write_atomically

__all__ = ["analyze", "offpolicy", "plan"]


def analyze(arguments: argparse.Namespace) -> int:
    """Judge an experiment; 0 when it may ship."""
    contract = read_contract(Path(arguments.contract)) if arguments.contract else None
    if arguments.file.endswith(".json"):
        found = analyze_sums(Path(arguments.file), contract=contract)
    else:
        contract = contract or _contract(arguments)
        where = EventColumns(
            unit=_needed(arguments.unit, "--unit"),
            time=_needed(arguments.time, "--time"),
            arm=_needed(arguments.arm, "--arm"),
            covariate=arguments.covariate,
            window=arguments.window,
        )
        with DuckDBEngine(Path.cwd()) as engine:
            history, found = analyze_events(
                engine, arguments.file, where, contract, one_look=not (arguments.contract or arguments.looks)
            )
        if arguments.history:
            write_atomically(Path(arguments.history), encode_history(history))
    if arguments.json:
        print(msgspec.json.format(encode_verdict(found), indent=2).decode())
    else:
        say(*_verdict_lines(found))
    return 0 if found.call in (Call.SHIP, Call.SHIP_NO_HARM) else 1


def plan(arguments: argparse.Namespace) -> int:
    """Plan an experiment; 0 when it can be decided."""
    effect, is_relative = _amount(arguments.effect, "--effect")
    found = plan_experiment(
        _baseline(arguments),
        effect,
        is_relative=is_relative,
        share=arguments.share,
        power=arguments.power,
        level=arguments.level,
        min_days=arguments.min_days,
    )
    if arguments.out and found.looks:
        contract = Contract(
            metric=arguments.metric,
            shares={"control": 1 - arguments.share, "treatment": arguments.share},
            control="control",
            treatment="treatment",
            looks=found.looks,
            direction="down" if arguments.down else "up",
            minimum_effect=effect,
            is_relative=is_relative,
            level=arguments.level,
        )
        write_atomically(Path(arguments.out), msgspec.json.format(msgspec.json.encode(contract), indent=2))
    if arguments.json:
        print_json(found)
    else:
        say(*_plan_lines(found, arguments.metric))
    return 0 if found.weeks is not None else 1


def offpolicy(arguments: argparse.Namespace) -> int:
    """Evaluate another policy; 0 when the log can say."""
    named = {name: getattr(arguments, name) for name in LogColumns.__struct_fields__}
    with DuckDBEngine(Path.cwd()) as engine:
        found = evaluate_log(engine, arguments.file, LogColumns(**named), most=arguments.most, level=arguments.level)
    if arguments.json:
        print_json(found)
    else:
        say(*_policy_lines(found))
    return 1 if isinstance(found.values["ips"], NotEstimable) else 0


def _needed(given: str | None, option: str) -> str:
    if given is None:
        raise _disagree(f"events need {option}", "--unit, --arm and --time of the events")
    return given


def _disagree(what: str, expected: str, fix: str = "") -> DataError:
    return DataError("experiment.options-disagree", what, where="the command line", expected=expected, fix=fix)


def _amount(text: str, option: str) -> tuple[float, bool]:
    """Read `2%` as a share of the mean and `0.5` as the metric's own unit."""
    try:
        return (float(text[:-1]) / 100, True) if text.endswith("%") else (float(text), False)
    except ValueError:
        raise _disagree(f"{text!r} is no size", f"{option} 2% of the mean, or {option} 0.5 in its own unit") from None


def _contract(arguments: argparse.Namespace) -> Contract:
    if arguments.metric is None or arguments.shares is None:
        raise _disagree("events need what was agreed", "--contract FILE, or --metric and --shares")
    effect = None if arguments.effect is None else _amount(arguments.effect, "--effect")
    try:
        shares = {name: float(share) for name, share in (part.split("=") for part in arguments.shares.split(","))}
        looks = tuple(int(day) for day in arguments.looks.split(",")) if arguments.looks else (1,)
    except ValueError:
        raise _disagree("--shares or --looks cannot be read", "--shares old=0.5,new=0.5 and --looks 14,28") from None
    if len(shares) < 2:
        raise _disagree("there is one arm", "--shares old=0.5,new=0.5: control first")
    control, treatment, *_ = shares
    return Contract(
        metric=arguments.metric,
        shares=shares,
        control=control,
        treatment=treatment,
        looks=looks,
        direction="down" if arguments.down else "up",
        minimum_effect=None if effect is None else effect[0],
        is_relative=effect is None or effect[1],
        level=arguments.level,
        guardrails=tuple(map(_guardrail, arguments.guardrail)),
        secondary=tuple(arguments.secondary),
    )


def _guardrail(text: str) -> Guardrail:
    match text.split(":"):
        case [metric, ("up" | "down") as direction, size]:
            margin, is_relative = _amount(size, "--guardrail")
            return Guardrail(
                metric=metric,
                margin=margin,
                is_relative=is_relative,
                direction="up" if direction == "up" else "down",
            )
    raise _disagree(f"{text!r} is no guardrail", "METRIC:up:1% or METRIC:down:20, the way that is better in the middle")


def _baseline(arguments: argparse.Namespace) -> Baseline:
    if arguments.file is not None:
        where = EventColumns(
            unit=_needed(arguments.unit, "--unit"),
            time=_needed(arguments.time, "--time"),
            covariate=arguments.covariate,
            window=arguments.window,
        )
        with DuckDBEngine(Path.cwd()) as engine:
            found = baseline_of_events(engine, arguments.file, where, arguments.metric)
        daily = found.daily_units if arguments.daily is None else arguments.daily
        return msgspec.structs.replace(found, daily_units=daily, kept=arguments.kept)
    if arguments.mean is None or arguments.daily is None:
        raise _disagree("a plan needs a log, or --mean and --daily", "a FILE with --unit and --time, or the numbers")
    variance = arguments.mean * (1 - arguments.mean) if arguments.variance is None else arguments.variance
    return Baseline(
        mean=arguments.mean,
        variance=variance,
        daily_units=arguments.daily,
        explained=arguments.explained or 0.0,
        kept=arguments.kept,
    )


def _number(value: float) -> str:
    return f"{value:+.4g}".replace("-", "−")


def _between(measure: Measure, scale: float = 1.0, unit: str = "") -> str:
    if isinstance(measure, NotEstimable):
        return f"not known: {measure.reason}"
    low, high = (_number(scale * end) for end in (measure.low, measure.high))
    return f"{_number(scale * measure.value)}{unit} (between {low} and {high})"


def _verdict_lines(found: ExperimentVerdict) -> Iterator[str]:
    """Write a verdict: the sentence, the effect in its own unit with its interval, what would change it."""
    yield bold(paragraph(f"{found.call}: {found.because} (day {found.day})."))
    yield ""
    yield from columns(_verdict_rows(found))
    for one in found.secondary:
        moved = "moved" if one.is_found else "did not clearly move"
        yield f"  {one.name} {moved}: {_between(one.estimate)}; exploratory"
    yield ""
    if found.next_look is not None:
        yield f"Next look: day {found.next_look}; {found.days_left} days to the end."
    yield paragraph(f"What would change this: {found.change}.")


def _verdict_rows(found: ExperimentVerdict) -> Iterator[tuple[str, str]]:
    if found.control_mean is not None and found.treatment_mean is not None:
        old, new = found.contract.control, found.contract.treatment
        yield found.contract.metric, f"{found.control_mean:.4g} in {old}, {found.treatment_mean:.4g} in {new}"
    if found.call is not Call.INVALID:
        yield "difference", _between(found.effect)
        yield "of the mean", _between(found.relative, 100, " %")
    if not isinstance(found.shrunken, NotEstimable):
        yield "less what choosing added", _number(found.shrunken.value)
    if found.detectable is not None:
        yield "would have seen", f"a difference of {found.detectable:.4g}"
    for one in found.guardrails:
        yield f"guardrail {one.metric}", one.state


def _plan_lines(found: Plan, metric: str) -> Iterator[str]:
    yield bold(paragraph(found.statement))
    yield ""
    if found.looks:
        yield f"  looks at the end of day {', '.join(map(str, found.looks))}; in between only clear harm ends it"
    for one in found.detectable:
        share = "" if one.relative is None else f" ({100 * one.relative:.2g} %)"
        weeks = "1 week " if one.weeks == 1 else f"{one.weeks} weeks"
        yield f"  {weeks}  {one.units:>12,} units  show {metric} moved by {one.effect:.3g}{share}"
    if found.alternatives:
        yield ""
        yield "Instead:"
        yield from (paragraph(one, indent="  ") for one in found.alternatives)


def _policy_lines(found: OffPolicy) -> Iterator[str]:
    yield bold(paragraph(found.statement))
    yield ""
    rows = [("the log's own", found.logged), *((name.replace("_", " "), one) for name, one in found.values.items())]
    yield from columns([(name, _plain(one)) for name, one in rows])
    if not isinstance(found.relative, NotEstimable):
        yield f"  ips over the log's own: {_plain(found.relative)}"
    yield f"  {found.n:,} rows, worth {found.effective_n:,.0f} for this policy; the heaviest has {found.heaviest:.1%}"


def _plain(measure: Measure) -> str:
    if isinstance(measure, NotEstimable):
        return f"not known: {measure.reason}"
    return f"{measure.value:.4g} (between {measure.low:.4g} and {measure.high:.4g})"
