"""Quality against time of our learners and of what others ship, on real sets with the same rows.

Run from the repository: ``PYTHONPATH=src python bench/training.py [--others PYTHON] [--sets NAME ...] [--budget 60]``.
LightGBM and scikit-learn run as they come, in a process of their own; skrub and FLAML need ``--others``, an interpreter
of an environment that has them and pyarrow (``pip install skrub "flaml[automl]" pyarrow``). Rows go there and scores
come back through files. FLAML is not run on sets of text, which it takes for categories. Differences are ours (blend)
minus theirs, paired: area by the bootstrap, log loss by the unit losses. Writes bench/results/training.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from training_sets import SETS, RealSet

from martello import __version__
from martello.stats.compare import paired_difference, paired_metric_difference, unit_losses
from martello.stats.estimate import Estimate
from martello.train import TrainingData, fit_model, load_model

OURS = ("logistic", "lightgbm", "blend")
INSTALLED = ("lightgbm_defaults", "hist_gradient_boosting")
OTHERS = ("skrub", "flaml")


def our_score(learner: str, train: TrainingData, test: TrainingData) -> dict[str, object]:
    """Train one of ours and score the test rows."""
    wall, cpu = time.perf_counter(), time.process_time()
    fitted = fit_model(learner, train, seed=0)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    scorer = load_model(learner, classes=train.classes, fields=train.fields, files=fitted.files)
    size = sum(map(len, fitted.files.values()))
    scores = scorer.scores(test.columns)[:, 1]
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "kilobytes": size // 1000, "scores": scores}


def their_score(tool: str, folder: Path, python: str, budget: float) -> dict[str, object]:
    """Train another tool in its own process."""
    program = Path(__file__).with_name("training_rivals.py")
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([python, str(program), tool, str(folder), str(budget)], check=True, env=os.environ | one_thread)
    found = json.loads((folder / f"{tool}.json").read_text(encoding="utf-8"))
    return found | {"scores": np.array(found["scores"])}


def compare(truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> dict[str, object]:
    """Give ours minus theirs with 95 % intervals."""
    area = paired_metric_difference("roc_auc", truth == 1, ours, theirs, seed=0)
    loss = paired_difference(unit_losses(truth, by_class(ours)), unit_losses(truth, by_class(theirs)))
    return {"roc_auc": interval(area), "log_loss": interval(loss)}


def by_class(scores: np.ndarray) -> np.ndarray:
    return np.stack([1.0 - scores, scores], axis=1)


def interval(found: object) -> list[float] | str:
    if not isinstance(found, Estimate):
        return str(found)
    return [round(value, 5) for value in (found.value, found.low, found.high)]


def measure(real: RealSet, asked: argparse.Namespace) -> dict[str, object]:
    """Run every tool on one set."""
    train_table, test_table = real.sides()
    train, test = real.data(train_table), real.data(test_table)
    found = {f"ours_{learner}": our_score(learner, train, test) for learner in OURS}
    with tempfile.TemporaryDirectory() as place:
        pq.write_table(train_table, Path(place, "train.parquet"))
        pq.write_table(test_table, Path(place, "test.parquet"))
        for tool in INSTALLED:
            found[tool] = their_score(tool, Path(place), sys.executable, asked.budget)
        for tool in OTHERS if asked.others else ():
            if tool != "flaml" or not real.texts:
                found[tool] = their_score(tool, Path(place), asked.others, asked.budget)
    return {
        "train_rows": len(train),
        "test_rows": len(test),
        "positives": round(float(test.codes.mean()), 4),
        "recipe_was_shaped_on_it": real.shaped_by,
        "tools": {name: summary(one, test.codes) for name, one in found.items()},
        "blend_minus": {
            name: compare(test.codes, found["ours_blend"]["scores"], one["scores"])
            for name, one in found.items()
            if name != "ours_blend"
        },
    }


def summary(found: dict[str, object], truth: np.ndarray) -> dict[str, object]:
    from sklearn.metrics import log_loss, roc_auc_score

    scores = found["scores"]
    kept = {name: found[name] for name in ("version", "kilobytes") if name in found}
    return kept | {
        "roc_auc": round(float(roc_auc_score(truth, scores)), 5),
        "log_loss": round(float(log_loss(truth, scores)), 5),
        "seconds": round(found["seconds"], 2),
        "cpu_seconds": round(found["cpu_seconds"], 2),
    }


def main() -> None:
    """Run all sets and keep the result after each, so that a run cut short is not lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--others", help="interpreter of an environment with skrub and FLAML")
    parser.add_argument("--sets", nargs="*", default=[real.name for real in SETS])
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for FLAML")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "training.json")
    asked = parser.parse_args()
    report: dict[str, object] = {
        "what": "area under the ROC curve and log loss on rows held out, seconds to train, ours minus others (95 %)",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}, {os.cpu_count()} cores, shared",
        "flaml_budget_seconds": asked.budget,
        "sets": {},
    }
    for real in SETS:
        if real.name in asked.sets:
            report["sets"][real.name] = measure(real, asked)
            asked.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            for name, one in report["sets"][real.name]["tools"].items():
                print(f"{real.name:16} {name:24} {one['roc_auc']:.4f} {one['log_loss']:.4f} {one['cpu_seconds']:.1f}s")


if __name__ == "__main__":
    main()
