"""`martello sample`: the word of the loop, or, with a file, a draw from that file without a project."""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from martello.cli import word
from martello.cli.terminal import columns, paragraph, print_json, say
from martello.errors import DataError, SpecError

if TYPE_CHECKING:
    import pyarrow as pa

    from martello.sample.file import ColumnEstimate, FileDraw
    from martello.spec.schema import SampleDesign

__all__ = ["add_options", "run"]

# How alike units of a group are taken to be where nothing is known; said with the number it gives.
_CORRELATION = 0.05


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the word takes and what a draw from a file takes."""
    word.add_options(parser)
    parser.add_argument(
        "table",
        nargs="?",
        metavar="TABLE",
        help="draw from this CSV or Parquet file, or warehouse:TABLE, without a project",
    )
    alone = parser.add_argument_group("with TABLE")
    alone.add_argument("--out", metavar="FILE", help="where the drawn rows go: .parquet or .csv")
    alone.add_argument("--force", action="store_true", help="replace FILE if it is there")
    alone.add_argument("--n", type=int, help="units to draw")
    alone.add_argument(
        "--design",
        choices=["bernoulli", "simple", "stratified", "pps", "score_weighted", "cluster", "two_stage"],
        help="how to draw; left out, what the other options say: simple if none",
    )
    alone.add_argument("--by", action="append", default=[], metavar="COLUMN", help="stratified: strata (repeatable)")
    alone.add_argument("--allocation", choices=["proportional", "neyman", "equal"], help="stratified: how n is shared")
    alone.add_argument("--per-stratum", type=int, metavar="N", help="equal allocation: units from each stratum")
    alone.add_argument("--spread", metavar="COLUMN", help="neyman: number column that varies as the answer does")
    alone.add_argument("--size", metavar="COLUMN", help="pps: draw in proportion to this number")
    alone.add_argument("--score", metavar="COLUMN", help="score_weighted: draw more where this chance is unsure")
    alone.add_argument("--cluster", action="append", default=[], metavar="COLUMN", help="groups, drawn whole")
    alone.add_argument("--clusters", type=int, metavar="N", help="groups to draw, in place of --n")
    alone.add_argument("--per-cluster", type=int, metavar="N", help="two stages: units from each drawn group")
    alone.add_argument("--unit", action="append", default=[], metavar="COLUMN", help="key of a unit (default: its row)")
    alone.add_argument("--where", metavar="SQL", help="condition that cuts the file to the population")
    alone.add_argument("--seed", type=int, default=0, help="salt of the draw (default: 0)")
    alone.add_argument("--estimate", metavar="COLUMN", help="mean and total of this number in the whole file")
    alone.add_argument("--level", type=float, default=0.95, help="confidence of the intervals (default: 0.95)")


def run(arguments: argparse.Namespace) -> int:
    """Draw from a file, or run the loop as far as its word `sample`."""
    if arguments.table is None:
        _refuse_options_of_a_file(arguments)
        return word.run(arguments)
    return _draw(arguments)


def _refuse_options_of_a_file(arguments: argparse.Namespace) -> None:
    given = [
        name
        for name in (
            "out",
            "n",
            "design",
            "by",
            "allocation",
            "per_stratum",
            "spread",
            "size",
            "score",
            "cluster",
            "clusters",
            "per_cluster",
            "unit",
            "where",
            "estimate",
        )
        if getattr(arguments, name)
    ]
    if given:
        raise SpecError(
            "sample.no-table",
            f"--{given[0].replace('_', '-')} belongs to a draw from a file, and no file is named",
            expected="martello sample TABLE --n N --out FILE; a project's design stands in martello.toml",
            fix="name the file, or write it under [sample] in martello.toml",
        )


def _draw(arguments: argparse.Namespace) -> int:
    from martello.engines import open_engine
    from martello.sample.file import draw_from_file, estimate_column
    from martello.settings import read_settings
    from martello.spec.schema import Population
    from martello.store.blobs import write_atomically

    source, out, design = _source(arguments.table), _target(arguments), _design(arguments)
    population = Population(
        source=source,
        unit=tuple(arguments.unit),
        group=tuple(arguments.cluster),
        where=arguments.where,
    )
    with open_engine(source, Path.cwd(), read_settings()) as engine:
        draw = draw_from_file(engine, population, design)
    estimate = estimate_column(draw, arguments.estimate, level=arguments.level) if arguments.estimate else None
    write_atomically(out, _encoded(draw.rows, out))
    (_tell_json if arguments.json else _tell)(draw, estimate, out, design.seed)
    return 0


def _source(name: str) -> str:
    from martello.engines.base import WAREHOUSE

    path = Path(name)
    if name.startswith(WAREHOUSE):
        return name
    if not path.exists() and not any(sign in name for sign in "*?["):
        raise DataError(
            "data.not-found",
            f"there is no file {name}",
            where=str(path.absolute()),
            expected="a CSV or Parquet file, a quoted glob, or warehouse:TABLE",
        )
    return str(path.absolute())


def _target(arguments: argparse.Namespace) -> Path:
    if arguments.out is None:
        raise SpecError(
            "sample.no-out",
            "nothing says where the drawn rows go",
            expected="--out FILE, ending in .parquet or .csv",
            fix=f"martello sample {arguments.table} --n 500 --out sample.parquet",
        )
    out = Path(arguments.out)
    if out.suffix not in (".parquet", ".csv"):
        raise SpecError(
            "sample.unknown-format", f"{out.name} ends in neither .parquet nor .csv", expected="one of the two"
        )
    if not out.parent.is_dir():
        raise SpecError("sample.no-directory", f"there is no directory {out.parent}", expected="one that exists")
    is_source = out.exists() and out.resolve() == Path(arguments.table).resolve()
    if is_source or (out.exists() and not arguments.force):
        raise SpecError(
            "sample.exists",
            f"{out} is {'the file to draw from' if is_source else 'there already'}",
            where=str(out.absolute()),
            expected="a file that is not there",
            fix="name another file" + ("" if is_source else ", or replace it with --force"),
        )
    return out


def _design(arguments: argparse.Namespace) -> SampleDesign:
    """Read the design from the options and hold it to the rules of a spec."""
    import msgspec

    from martello.spec.lint import design_faults
    from martello.spec.schema import SampleDesign

    given = {
        "design": arguments.design or _implied(arguments),
        "n": arguments.n,
        "by": arguments.by,
        "allocation": arguments.allocation or ("equal" if arguments.per_stratum else "proportional"),
        "per_stratum": arguments.per_stratum,
        "spread": arguments.spread,
        "size": arguments.size,
        "score": arguments.score,
        "clusters": arguments.clusters,
        "per_cluster": arguments.per_cluster,
        "seed": arguments.seed,
    }
    if given["design"] == "two_stage" and arguments.n and arguments.per_cluster and not arguments.clusters:
        given |= {"n": None, "clusters": -(-arguments.n // arguments.per_cluster)}
    try:
        design = msgspec.convert(given, SampleDesign)
    except msgspec.ValidationError as err:
        raise SpecError(
            "sample.bad-option", f"an option is out of range: {err}", expected="whole numbers of at least 1"
        ) from err
    faults = [
        SpecError(fault.code, _as_option(fault.what), expected=_as_option(fault.expected))
        for fault in design_faults(design, has_group=bool(arguments.cluster))
    ]
    if faults:
        faults[0].others = tuple(faults[1:])
        raise faults[0]
    return design


def _implied(arguments: argparse.Namespace) -> str:
    implied = (
        ("stratified", arguments.by),
        ("pps", arguments.size),
        ("score_weighted", arguments.score),
        ("two_stage", arguments.per_cluster),
        ("cluster", arguments.clusters),
    )
    return next((design for design, option in implied if option), "simple")


def _as_option(text: str) -> str:
    """Name an option where a rule names a key of the spec."""
    text = text.replace("population.group", "--cluster")
    return re.sub(r"sample\.([a-z_]+)", lambda found: "--" + found[1].replace("_", "-"), text)


def _encoded(rows: pa.Table, out: Path) -> bytes:
    import pyarrow.csv
    import pyarrow.parquet

    buffer = io.BytesIO()
    if out.suffix == ".csv":
        pyarrow.csv.write_csv(rows, buffer)
    else:
        pyarrow.parquet.write_table(rows, buffer, compression="zstd")
    return buffer.getvalue()


def _tell(draw: FileDraw, estimate: ColumnEstimate | None, out: Path, seed: int) -> None:
    from martello.sample.file import expected_design_effect

    say(paragraph(f"{draw.rows.num_rows} of {draw.n_population} rows drawn into {out} (seed {seed}).", indent=""))
    say(paragraph(f"Design: {draw.design}."))
    if len(draw.quotas) > 1:
        say("", *columns([("stratum", "drawn", "of"), *((str(q.stratum), str(q.n), str(q.of)) for q in draw.quotas)]))
    if draw.group is not None:
        effect = expected_design_effect(draw, _CORRELATION)
        say(
            paragraph(
                f"Where units of a group are alike by {_CORRELATION}, a mean is as uncertain as from "
                f"{draw.rows.num_rows / effect:.0f} rows drawn singly (design effect {effect:.2f})."
            )
        )
    if estimate is not None:
        say("", *_said(estimate))


def _said(estimate: ColumnEstimate) -> list[str]:
    rows = [("mean", str(estimate.mean)), ("total", str(estimate.total))]
    if isinstance(estimate.design_effect, float):
        rows.append(("design effect", f"{estimate.design_effect:.2f}"))
    if estimate.effective_n is not None:
        rows.append(("effective sample size", f"{estimate.effective_n:.0f}"))
    if estimate.n_without_value:
        rows.append(("drawn rows without a value", str(estimate.n_without_value)))
    return [f"{estimate.column} in the whole file:", *columns(rows)]


def _tell_json(draw: FileDraw, estimate: ColumnEstimate | None, out: Path, seed: int) -> None:
    from martello.sample.file import expected_design_effect

    groups = None
    if draw.group is not None:
        groups = {
            "drawn": len(set(draw.group)),
            "of": draw.n_groups,
            "design_effect": {"correlation": _CORRELATION, "expected": expected_design_effect(draw, _CORRELATION)},
        }
    print_json(
        {
            "out": str(out),
            "drawn": draw.rows.num_rows,
            "of": draw.n_population,
            "design": draw.design,
            "seed": seed,
            "strata": draw.quotas if draw.stratum is not None else None,
            "groups": groups,
            "estimate": estimate,
        }
    )
