"""Small real projects, run once for each file of tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

SPEC = """
[task]
name = "churn"
question = "Will this customer leave?"

[population]
source = "customers.csv"

[input]
tenure = "integer"
contract = "category"
internet_service = "category"
monthly_charges = "number"
total_charges = { type = "number", optional = true }
payment_method = "category"
online_security = "category"

[output]
column = "churn"
positive = "Yes"

[requirement]
precision = 0.55
recall = 0.20
slices = ["senior_citizen"]

[sample]
n = 6400
seed = 4

[serve]
rehearsal = 300

[owners]
ml = "Ada"
second = "Edsger"
"""


def martello(*words: str, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command and hold it to an exit code."""
    env = os.environ | {"MARTELLO_WHO": "tester", "NO_COLOR": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-m", "martello", *words], capture_output=True, text=True, env=env, timeout=300
    )
    if check is not None:
        assert done.returncode == check, f"{words} gave {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def martello_json(*words: str, check: int | None = 0) -> Any:
    """Run the real command with --json and read the one object it prints."""
    return json.loads(martello(*words, "--json", check=check).stdout)


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a project on the telephone company's customers."""

    def make(name: str = "churn", spec: str = SPEC) -> Path:
        directory = tmp_path_factory.mktemp(name)
        table = pq.read_table(Path(__file__).resolve().parents[1] / "data" / "telco_churn.parquet")
        pa_csv.write_csv(table, directory / "customers.csv")
        (directory / "martello.toml").write_text(spec, encoding="utf-8")
        return directory

    return make
