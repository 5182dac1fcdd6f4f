"""`martello label aggregate`: a file of answers by several annotators to one label per unit, and what they are worth.

The numbers are `martello.label.aggregate`'s; how they are said is `label_meaning`'s business. What computes is imported
when it is asked for: these options are read by every `martello label`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from martello.cli.progress import Progress
from martello.cli.terminal import print_json, say
from martello.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `label aggregate` takes."""
    parser.add_argument("answers", metavar="FILE", help="answers: CSV, JSON Lines, Parquet, Label Studio or Argilla")
    parser.add_argument("--unit", metavar="COL", default="unit", help="what was labeled (default: unit)")
    parser.add_argument("--annotator", metavar="COL", default="annotator", help="who answered (default: annotator)")
    parser.add_argument("--label", metavar="COL", default="answer", help="what they answered (default: answer)")
    parser.add_argument("--checks", metavar="FILE", help="units with known answers, which decide on the method")
    parser.add_argument("--truth", metavar="COL", help="known answer in --checks (default: as --label, else truth)")
    parser.add_argument(
        "--method", choices=("auto", "majority", "dawid-skene"), default="auto", help="auto: as the check units say"
    )
    parser.add_argument("--out", metavar="FILE", help="where the labels go: .parquet or .csv")
    parser.add_argument("--force", action="store_true", help="replace the file of --out if it is there")
    parser.add_argument("--strict", action="store_true", help="stop at the first row that cannot be taken")
    parser.add_argument("--level", metavar="L", type=float, default=0.95, help="confidence (default: 0.95)")


def run(arguments: argparse.Namespace) -> int:
    """Aggregate a file of answers; 1 when a row had to be left out."""
    import msgspec

    from martello.cli.label_meaning import lines
    from martello.label.aggregate import aggregate_file
    from martello.store.blobs import write_atomically

    out = _target(arguments)
    with Progress(is_wanted=not arguments.json) as progress:
        progress.started("label")
        found = aggregate_file(
            arguments.answers,
            unit=arguments.unit,
            annotator=arguments.annotator,
            label=arguments.label,
            checks=arguments.checks,
            truth=arguments.truth,
            method=arguments.method,
            level=arguments.level,
            strict=arguments.strict,
            advanced=progress.advanced,
        )
    if out is not None:
        write_atomically(out, _encoded(found.labels, out))
    if arguments.json:
        print_json(
            {"file": arguments.answers, "out": str(out) if out else None, **msgspec.structs.asdict(found.report)}
        )
    else:
        say(*lines(found.report, arguments, out))
    return 1 if found.report.refused.n else 0


def _target(arguments: argparse.Namespace) -> Path | None:
    """Give where the labels go, checked before anything is computed."""
    if arguments.out is None:
        return None
    out = Path(arguments.out)
    if out.suffix not in (".parquet", ".csv"):
        raise DataError(
            "data.unknown-format",
            f"{out.name} ends in neither .parquet nor .csv",
            where="--out",
            expected="one of them",
        )
    if not out.parent.is_dir():
        raise DataError("label.no-directory", f"there is no directory {out.parent}", expected="one that exists")
    read = [Path(name).resolve() for name in (arguments.answers, arguments.checks) if name]
    if out.exists() and (out.resolve() in read or not arguments.force):
        raise DataError(
            "label.file-exists",
            f"{out} is {'read here' if out.resolve() in read else 'there already'}",
            where=str(out.absolute()),
            expected="a file that is not there",
            fix="name another file" + ("" if out.resolve() in read else ", or replace it with --force"),
        )
    return out


def _encoded(labels: pa.Table, out: Path) -> bytes:
    import io

    import pyarrow.csv
    import pyarrow.parquet

    buffer = io.BytesIO()
    if out.suffix == ".csv":
        pyarrow.csv.write_csv(labels, buffer)
    else:
        pyarrow.parquet.write_table(labels, buffer, compression="zstd")
    return buffer.getvalue()
