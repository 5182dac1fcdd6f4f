"""`martello traffic`: what was sampled against what the product meets, from two files or from a project's log."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from martello.cli.terminal import bold, columns, paragraph, print_json, say
from martello.corridor.project import open_project
from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError, SpecError, nearest
from martello.records import FeatureSet, Sample
from martello.sample.traffic import Kind, TrafficComparison, compare_traffic
from martello.serve.entries import Decision
from martello.serve.reading import read_log
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.shift import ShiftVerdict

__all__ = ["add_options", "run"]

_KINDS: dict[str, Kind] = {"integer": "number", "boolean": "category"}
_WEIGHT = "1/π"
_MOST_ROWS = 30
_PANDAS_INDEX = "__index_level_"  # row numbers that pandas leaves in Parquet


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the two sides and what matters."""
    parser.add_argument(
        "sample", nargs="?", metavar="SAMPLE", help="CSV or Parquet (default: the project's train and dev)"
    )
    parser.add_argument("traffic", nargs="?", metavar="TRAFFIC", help="CSV, Parquet, or a server's log directory")
    parser.add_argument("--columns", metavar="A,B", help="compare only these (default: all that both sides have)")
    parser.add_argument("--weight", metavar="COLUMN", help="design weights of the sample, 1/π")
    parser.add_argument("--loss", metavar="COLUMN", help="each sampled row's loss, or whether its answer was right")
    parser.add_argument(
        "--material", type=float, default=0.05, metavar="SHARE", help="smallest difference that matters (default: 0.05)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare, print, and give 1 when traffic has shifted."""
    kinds: dict[str, Kind] = {}
    weight = arguments.weight
    if arguments.sample is None:
        sample, traffic, kinds = _of_project(arguments.project)
        weight = _WEIGHT
    elif arguments.traffic is None:
        raise SpecError(
            "sample.no-traffic",
            "there is a sample and nothing to compare it with",
            expected="martello traffic SAMPLE TRAFFIC",
            fix="name a file of traffic, or the directory of a server's log, such as .martello/log",
        )
    else:
        sample, traffic = _read(arguments.sample), _read(arguments.traffic)
    given = {name: _numbers(sample, name) for name in (weight, arguments.loss) if name}
    if arguments.columns:
        wanted = [name.strip() for name in arguments.columns.split(",")]
        sample, traffic = _only(sample, wanted, "the sample"), _only(traffic, wanted, "traffic")
    found, _ = compare_traffic(
        *(_only(side, [name for name in side.column_names if name not in given], "") for side in (sample, traffic)),
        kinds=kinds,
        weight=given.get(weight),
        loss=given.get(arguments.loss),
        material=arguments.material,
    )
    if arguments.json:
        print_json(found)
    else:
        say(*_told(found, arguments.loss))
    return 1 if found.verdict is ShiftVerdict.SHIFTED else 0


def _only(table: pa.Table, names: list[str], side: str) -> pa.Table:
    for name in names:
        if name not in table.column_names:
            near = nearest(name, table.column_names)
            raise DataError(
                "data.no-such-column",
                f"{side} has no column {name!r}",
                expected="one of " + ", ".join(table.column_names[:12]),
                fix=f"write {near!r}" if near else "name a column it has",
            )
    return table.select(names)


def _numbers(sample: pa.Table, name: str) -> Any:
    """Give a column of the sample as numbers, NaN where missing."""
    column: Any = _only(sample, [name], "the sample").column(0)
    try:
        return column.cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as err:
        raise DataError(
            "data.wrong-type",
            f"{name!r} is no column of numbers",
            where="the sample",
            expected="numbers, or true and false",
            fix="name the column that holds them",
        ) from err


def _read(source: str) -> pa.Table:
    path = Path(source)
    if path.is_dir():
        return _decided(path)
    if not path.exists():
        raise DataError(
            "data.not-found",
            f"there is no file {source}",
            where=str(path.absolute()),
            expected="a CSV or Parquet file, or the directory of a server's log",
            fix="check the path",
        )
    with DuckDBEngine(Path()) as engine:
        table = engine.arrow(f"SELECT * FROM {engine.relation(source)}")
    return table.select([name for name in table.column_names if not name.startswith(_PANDAS_INDEX)])


def _decided(directory: Path) -> pa.Table:
    """Give the values of every decision in a log."""
    values = [entry.values for entry in read_log(directory) if isinstance(entry, Decision)]
    if not values:
        raise DataError(
            "sample.no-traffic",
            "the log holds no decision",
            where=str(directory),
            expected="a server's log with decisions in it",
            fix="serve the release first, or name the directory the server logs to",
        )
    names = dict.fromkeys(name for row in values for name in row)
    return pa.table({name: _array([row.get(name) for row in values]) for name in names})


def _array(values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # releases that declared the input differently
        return pa.array([None if value is None else str(value) for value in values])


def _of_project(directory: str) -> tuple[pa.Table, pa.Table, dict[str, Kind]]:
    """Give the inputs of train and dev with their weights, what was decided about, and the declared kinds."""
    with open_project(directory) as project:
        records = project.records()
        sample, features = records.get("sample"), records.get("features")
        if not isinstance(sample, Sample) or not isinstance(features, FeatureSet):
            raise SpecError(
                "sample.no-traffic",
                "this project has drawn no sample yet, so there is nothing to compare",
                where=str(project.directory),
                expected="a project that has come as far as its features",
                fix="martello run, or name two files: martello traffic SAMPLE TRAFFIC",
            )
        units, inputs = project.store.get_table(sample.units), project.store.get_table(features.table)
        fields = project.spec.input
        traffic = _decided(project.state_directory / "log")
    units = units.filter(pc.is_in(units["split"], pa.array(["train", "dev"])))
    rows = pc.index_in(units["unit"], inputs["unit"])
    table = inputs.take(rows).select([field.column for field in fields])
    table = table.rename_columns([field.name for field in fields])
    table = table.append_column(_WEIGHT, pc.divide(1.0, units["inclusion_probability"]))
    kinds: dict[str, Kind] = {field.name: _KINDS.get(field.type, field.type) for field in fields}  # type: ignore[arg-type]
    return table, traffic, kinds


def _told(found: TrafficComparison, loss: str | None) -> list[str]:
    lines = [bold(paragraph(_sentence(found))), ""]
    shown = found.effects[:_MOST_ROWS]
    rows = [("column", "what", "differs by", "verdict", "sample to traffic")]
    rows += [(one.column, one.aspect, _number(one.effect), str(one.verdict), one.change) for one in shown]
    rows.append(("together", "AUC", _number(found.together), str(found.together_verdict), "0.5: cannot be told apart"))
    lines += columns(rows)
    if len(found.effects) > len(shown):
        lines.append(f"  … and {len(found.effects) - len(shown)} smaller; all with --json")
    k, level = len(found.effects) + 1, 100 * found.level
    meaning = f"Differs by: the share of rows that would have to change. All {k} verdicts hold together at {level:g} %."
    lines += ["", paragraph(meaning), *map(paragraph, _worth(found, loss))]
    lines += [paragraph(f"Left out: {name} ({why}).") for name, why in found.left_out.items()]
    return [*lines, "", *_next(found, loss)]


def _sentence(found: TrafficComparison) -> str:
    sides = f"({found.n_sample:,} sampled rows, {found.n_traffic:,} of traffic)"
    size = f"{100 * found.material:g} % of rows"
    if found.verdict is ShiftVerdict.NOT_SHIFTED:
        return f"Traffic looks like the sample: no difference as large as {size} {sides}."
    if found.verdict is ShiftVerdict.UNDECIDED:
        return f"Undecided whether traffic differs from the sample by {size} or more {sides}."
    names = _shifted(found)
    if not names:
        return f"Traffic has shifted: no single column shows it, all together do {sides}."
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"Traffic has shifted by at least {size} in {listed} {sides}."


def _shifted(found: TrafficComparison) -> list[str]:
    return list(dict.fromkeys(one.column for one in found.effects if one.verdict is ShiftVerdict.SHIFTED))


def _number(effect: Estimate | NotEstimable) -> str:
    return str(effect) if isinstance(effect, Estimate) else f"not estimable: {effect.reason}"


def _worth(found: TrafficComparison, loss: str | None) -> list[str]:
    """Say what the sample is worth for traffic, and what the shift would do."""
    parts = []
    if found.effective_n is not None:
        parts.append(f"Weighted to look like traffic, the sample is worth {found.effective_n:,.0f} rows.")
    if isinstance(found.change, Estimate):
        one = found.change
        parts.append(f"Expected change of the mean of {loss}: {one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f}).")
    elif found.change is not None:
        parts.append(f"What it would do to {loss} is {found.change}.")
    return parts


def _next(found: TrafficComparison, loss: str | None) -> list[str]:
    if found.verdict is ShiftVerdict.NOT_SHIFTED:
        return ["Nothing to do: what gold says speaks for this traffic too."]
    if found.verdict is ShiftVerdict.UNDECIDED:
        if min(found.n_sample, found.n_traffic) < found.rows_needed:
            more = f"Compare again with about {found.rows_needed:,} rows on each side"
            return [paragraph(f"{more}, or declare a larger size that matters with --material.")]
        near = "There are rows enough: some differences lie near the size that matters, or among rare values."
        return [paragraph(f"{near} Leave names out with --columns, or declare another size with --material.")]
    lines = [
        "Draw units from traffic, label them and evaluate again: gold speaks for the sample only.",
        "A column that names or counts rows always shifts: leave it out with --columns.",
    ]
    if loss is None:
        lines.append("To see what it would do to the metric: --loss COLUMN, each sampled row's loss.")
    return [paragraph(line) for line in lines]
