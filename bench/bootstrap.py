"""Time the bootstrap of average precision against a loop over scikit-learn.

Run from the repository: ``PYTHONPATH=src python bench/bootstrap.py [--rows 100000] [--resamples 400] [--dry]``. Both
sides do the same work: draw the rows (or clusters) anew with replacement and compute average precision. Our side
includes its one sort. Five runs, the two sides by turns, so that a busy machine slows both. Target: a ratio of at least
20 in the median. Writes bench/results/bootstrap.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score

from martello import __version__
from martello.stats.metrics import estimate_metric

_RUNS = 5
_NAIVE_RESAMPLES = 20  # enough to time one resample; all of them would take minutes
_CLUSTER_SIZE = 5
_PREVALENCE = 0.1


def _rows(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    truth = rng.random(n) < _PREVALENCE
    return truth, rng.normal(1.5 * truth, 1.0), np.arange(n) // _CLUSTER_SIZE, rng.exponential(size=n)


def _naive(
    truth: np.ndarray, score: np.ndarray, weight: np.ndarray | None, *, clustered: bool
) -> Callable[[int], float]:
    groups = len(truth) // _CLUSTER_SIZE if clustered else len(truth)

    def run(resamples: int) -> float:
        rng = np.random.default_rng(2)
        values = []
        for _ in range(resamples):
            drawn = rng.integers(groups, size=groups)
            if clustered:
                drawn = (drawn[:, None] * _CLUSTER_SIZE + np.arange(_CLUSTER_SIZE)).ravel()
            sample_weight = None if weight is None else weight[drawn]
            values.append(average_precision_score(truth[drawn], score[drawn], sample_weight=sample_weight))
        return float(np.std(values, ddof=1))

    return run


def _seconds_each(run: Callable[[int], object], resamples: int) -> float:
    start = time.perf_counter()
    run(resamples)
    return (time.perf_counter() - start) / resamples


def measure(rows: int, resamples: int, *, clustered: bool, weighted: bool) -> dict[str, object]:
    """Give seconds per resample of both sides and their ratio, over the runs."""
    truth, score, cluster, weights = _rows(rows)
    weight = weights if weighted else None
    naive = _naive(truth, score, weight, clustered=clustered)

    def ours(count: int) -> object:
        names = cluster if clustered else None
        return estimate_metric("average_precision", truth, score, weight=weight, cluster=names, seed=2, resamples=count)

    ours(2)
    pairs = [(_seconds_each(naive, _NAIVE_RESAMPLES), _seconds_each(ours, resamples)) for _ in range(_RUNS)]
    ratios = [slow / fast for slow, fast in pairs]
    return {
        "naive_ms_per_resample": round(1e3 * statistics.median(slow for slow, _ in pairs), 3),
        "ours_ms_per_resample": round(1e3 * statistics.median(fast for _, fast in pairs), 3),
        "ratio_median": round(statistics.median(ratios), 1),
        "ratio_lowest": round(min(ratios), 1),
        "ratio_highest": round(max(ratios), 1),
    }


def main() -> None:
    """Measure the plain, the clustered and the weighted case, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--dry", action="store_true", help="print only")
    asked = parser.parse_args()
    report: dict[str, object] = {
        "what": "seconds per resample of a loop over scikit-learn, as a ratio to those of estimate_metric, by turns",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "rows": asked.rows,
        "positives": _PREVALENCE,
        "resamples": asked.resamples,
        "runs": _RUNS,
        "target": "a median ratio of at least 20",
    }
    for name, clustered, weighted in (("plain", False, False), ("clustered", True, False), ("weighted", False, True)):
        report[name] = measure(asked.rows, asked.resamples, clustered=clustered, weighted=weighted)
    text = json.dumps(report, indent=2)
    if not asked.dry:
        (Path(__file__).parent / "results" / "bootstrap.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
