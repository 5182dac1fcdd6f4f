"""What a million answers cost to write and to read: seconds, and the most memory held, for each format.

Run from the repository: ``PYTHONPATH=src python bench/exchange.py [--dry]``. Rows are made one by one, never held; each
measurement is a process of its own, whose peak is compared with that of a process that only imports. Four answers a
unit, each with a moment, seconds and a recorded probability; tasks and records carry 200 characters of text a unit.
Target: the peak grows by no more than 72 bytes a row in reading (what finds rows that come twice), and in writing by no
more than 16 (what Parquet keeps of each row group). Writes bench/results/exchange.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from martello import __version__
from martello.label.answer_row import AnswerRow
from martello.label.exchange import FORMATS, read_answers, write_answers

_SIZES = (100_000, 1_000_000)
_PER_UNIT = 4
_CLASSES = ("yes", "no", "unclear")
_TEXT = "a text of a unit, as long as a short review is; " * 4


def _rows(n: int) -> Iterator[AnswerRow]:
    for i in range(n):
        yield AnswerRow(
            unit=f"unit-{i // _PER_UNIT:08}",
            annotator=f"annotator-{i % _PER_UNIT}",
            answer=_CLASSES[i * i % 3],
            at="2026-11-24T09:30:00.123+00:00",
            seconds=i % 97 / 8,
            purpose="gold",
            probability=0.125,
            draw=i // _PER_UNIT,
            sampler="simple",
            seed=7,
        )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _work(doing: str, format: Any, n: int, path: str) -> dict[str, Any]:
    """Do one thing in this process, and give its seconds and its peak in MB."""
    start = time.perf_counter()
    count = 0
    if doing == "write":
        count = write_answers(_rows(n), path, format, inputs=lambda unit: {"text": _TEXT + unit}, force=True)
    elif doing == "read":
        found = read_answers(path, format=format, classes=_CLASSES, units=lambda unit: unit.startswith("unit-"))
        count = sum(isinstance(row, AnswerRow) for row in found)
    return {"rows": count, "seconds": round(time.perf_counter() - start, 2), "peak_mb": round(_peak(), 1)}


def _apart(*words: str) -> dict[str, Any]:
    run = [sys.executable, __file__, "--work", *words]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)  # type: ignore[no-any-return]


def measure(format: str, directory: Path) -> dict[str, Any]:
    """Write and read both sizes, and give what each took."""
    found: dict[str, Any] = {}
    for n in _SIZES:
        path = directory / f"{format}-{n}"
        both = {doing: _apart(doing, format, str(n), str(path)) for doing in ("write", "read")}
        assert {one.pop("rows") for one in both.values()} == {n}
        found[str(n)] = both | {"file_mb": round(path.stat().st_size / 1e6, 1)}
        path.unlink()
    small, large = (found[str(n)] for n in _SIZES)
    for doing in ("write", "read"):
        growth = (large[doing]["peak_mb"] - small[doing]["peak_mb"]) * 2**20 / (_SIZES[1] - _SIZES[0])
        found[f"{doing}_bytes_per_row"] = round(growth, 1)
    return found


def main() -> None:
    """Measure every format, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="print only")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        doing, format, n, path = asked.work
        print(json.dumps(_work(doing, format, int(n), path)))
        return
    with tempfile.TemporaryDirectory() as directory:
        report: dict[str, Any] = {
            "what": "seconds and peak memory of writing and reading answers, each in a process of its own",
            "date": datetime.now(UTC).date().isoformat(),
            "martello": __version__,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
            "target": "at most 72 bytes a row in reading, 16 in writing (bytes_per_row: from 1e5 to 1e6 rows)",
            "bare_peak_mb": _apart("nothing", "csv", "0", "")["peak_mb"],
            **{format: measure(format, Path(directory)) for format in FORMATS},
        }
    text = json.dumps(report, indent=2)
    if not asked.dry:
        (Path(__file__).parent / "results" / "exchange.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
