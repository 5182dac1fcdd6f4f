"""Count the labels a model needs to learn, by the rule that chooses them, on real pools; print JSON.

Run from the repository: ``PYTHONPATH=src python bench/active.py --out bench/results/active.json [--quick] [--data
DIR]``. Batches of 20 are labeled by the truth, the model is fitted anew after each, and judged on units apart from the
pool. Ours run with their defaults where nothing else is named; scikit-activeml is the opponent where it is installed.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import sklearn
from sklearn.cluster import MiniBatchKMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from martello import __version__
from martello.stats.active_sampling import TrainingSampler
from martello.stats.training_draw import TrainingDraw, draw_in_turn, open_positions

BATCH, MOST, POOL, TEST = 20, 600, 4000, 4000
SHARES = (0.90, 0.95)
SHOWN = (100, 300, 600)


@dataclass(frozen=True)
class Task:
    """A pool to label and units to judge on: inputs of the learner, features for grouping, truth as codes."""

    x: Any
    features: Any
    truth: np.ndarray
    test_x: Any
    test_truth: np.ndarray
    learner: Callable[[], Any]

    @property
    def n_classes(self) -> int:
        return int(self.truth.max()) + 1

    def fit(self, rows: np.ndarray) -> Any:
        return self.learner().fit(self.x[rows], self.truth[rows])

    def scores(self, model: Any, x: Any) -> np.ndarray:
        """Give (n, K) scores, 0 for classes that have no label yet."""
        full = np.zeros((x.shape[0], self.n_classes))
        full[:, model.classes_] = model.predict_proba(x)
        return full

    def judge(self, model: Any) -> float:
        scores = self.scores(model, self.test_x)
        if self.n_classes == 2:
            return float(average_precision_score(self.test_truth, scores[:, 1]))
        return float(accuracy_score(self.test_truth, scores.argmax(axis=1)))


def logistic() -> LogisticRegression:
    return LogisticRegression(C=3.0, max_iter=300)


def trees() -> lightgbm.LGBMClassifier:
    return lightgbm.LGBMClassifier(
        n_estimators=50, num_leaves=15, min_child_samples=5, learning_rate=0.1, n_jobs=1, verbose=-1, random_state=0
    )


def read_task(name: str, data: Path, seed: int) -> Task:
    rng = np.random.default_rng([11, seed])
    if name == "digits":
        x, truth = load_digits(return_X_y=True)
        return _split(x / 16, x / 16, truth, rng, logistic)
    import pandas as pd

    source, label, positive, left_out = {
        "adult": ("adult", "income", ">50K", []),
        "adult, 5% positive": ("adult", "income", ">50K", []),
        "bank_marketing": ("bank_marketing", "y", "yes", ["duration", "row_order"]),
        "sms_spam": ("sms_spam", "label", "spam", []),
    }[name]
    table = pd.read_parquet(data / source / f"{source}.parquet").drop_duplicates(ignore_index=True)
    truth = (table[label] == positive).to_numpy().astype(int)
    if name.endswith("5% positive"):
        yes, no = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
        kept = np.concatenate([rng.choice(yes, len(no) // 19, replace=False), no])
        table, truth = table.iloc[kept].reset_index(drop=True), truth[kept]
    inputs = table.drop(columns=[label, *left_out])
    if source == "sms_spam":
        x = TfidfVectorizer(min_df=2).fit_transform(inputs.iloc[:, 0].astype(str))
        return _split(x, x, truth, rng, lambda: LogisticRegression(C=30.0, class_weight="balanced"))
    chosen = rng.choice(len(truth), POOL + TEST, replace=False)
    inputs, truth = inputs.iloc[chosen], truth[chosen]
    named = list(inputs.select_dtypes(exclude="number").columns)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    x = inputs.drop(columns=named).to_numpy(float)
    x = np.column_stack([x, encoder.fit_transform(inputs[named].astype(str))])
    hot = OneHotEncoder(sparse_output=False, max_categories=20)
    features = make_column_transformer((hot, named), remainder="passthrough").fit_transform(
        inputs.astype(dict.fromkeys(named, str))
    )
    return _split(np.nan_to_num(x), np.nan_to_num(features.astype(float)), truth, rng, trees)


def _split(x: Any, features: Any, truth: np.ndarray, rng: Any, learner: Any) -> Task:
    rows = rng.permutation(len(truth))
    pool, test = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    return Task(x[pool], features[pool], truth[pool], x[test], truth[test], learner)


Rule = Callable[[Task, list[int], np.ndarray | None, int], TrainingDraw]


def ours(*, grouped: bool = False, **settings: Any) -> Rule:
    """Make the policy of the labelling room; ungrouped, it has no features to begin with."""

    def choose(task: Task, drawn: list[int], scores: np.ndarray | None, seed: int) -> TrainingDraw:
        sampler = TrainingSampler(n_pool=len(task.truth), seed=seed, **settings)
        counts = np.bincount(task.truth[drawn], minlength=task.n_classes).tolist()
        features = (lambda: task.features) if grouped else None
        return sampler.draw(BATCH, drawn, n_per_class=counts, scores=scores, features=features)

    return choose


def diverse_then_margin(task: Task, drawn: list[int], scores: np.ndarray | None, seed: int) -> TrainingDraw:
    """Leave the spread out."""
    return ours(grouped=scores is None or len(drawn) < 40)(task, drawn, scores, seed)


def weighted_start(task: Task, drawn: list[int], scores: np.ndarray | None, seed: int) -> TrainingDraw:
    """Begin pps-margin with chances that are alike for groups, not units: diverse, and with probabilities."""
    if scores is not None and len(drawn) >= 40:
        return ours(method="pps-margin")(task, drawn, scores, seed)
    features = task.features
    if isinstance(features, np.ndarray):
        features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    group = MiniBatchKMeans(40, random_state=seed, n_init=3).fit_predict(features)
    left = open_positions(len(task.truth), drawn)
    rng = np.random.default_rng([seed, len(drawn)])
    index, q = draw_in_turn(1 / np.bincount(group)[group[left]], BATCH, rng=rng)
    return TrainingDraw(left[index], q, ("",) * BATCH)


def _picked(positions: list[int]) -> TrainingDraw:
    return TrainingDraw(np.array(positions), None, ("",) * len(positions))


def opponents() -> dict[str, Rule]:
    """Give the strategies of scikit-activeml, or none where it is not installed."""
    try:
        from skactiveml.pool import TypiClust, UncertaintySampling
    except ImportError:
        return {}
    from skactiveml.classifier import SklearnClassifier

    def margin_sampling(task: Task, drawn: list[int], scores: np.ndarray | None, seed: int) -> TrainingDraw:
        if scores is None or len(drawn) < 40:
            return ours()(task, drawn, scores, seed)
        known = np.full(len(task.truth), np.nan)
        known[drawn] = task.truth[drawn]
        fitted = SklearnClassifier(task.learner(), classes=range(task.n_classes)).fit(task.x[drawn], task.truth[drawn])
        query = UncertaintySampling(method="margin_sampling", random_state=seed)
        return _picked(query.query(task.x, known, clf=fitted, fit_clf=False, batch_size=BATCH).tolist())

    def typiclust(task: Task, drawn: list[int], scores: np.ndarray | None, seed: int) -> TrainingDraw:
        if scores is not None and len(drawn) >= 40:
            return margin_sampling(task, drawn, scores, seed)
        known = np.full(len(task.truth), np.nan)
        known[drawn] = task.truth[drawn]
        query = TypiClust(random_state=seed, cluster_algo_dict={"n_init": 1, "random_state": seed})
        return _picked(
            query.query(task.features / (task.features.std(axis=0) + 1e-9), known, batch_size=BATCH).tolist()
        )

    return {"scikit-activeml margin": margin_sampling, "scikit-activeml TypiClust, then margin": typiclust}


RULES: dict[str, Rule] = {
    "random": ours(method="random"),
    "margin": ours(),
    "diverse, then margin": diverse_then_margin,
    "diverse, then margin spread over groups": ours(grouped=True),
    "pps-margin": ours(method="pps-margin"),
    "pps-margin, floor .1": ours(method="pps-margin", floor=0.1),
    "pps-margin, power 8, floor .1": ours(method="pps-margin", power=8.0, floor=0.1),
    "pps-margin, start weighted by group": weighted_start,
}


def learn(task: Task, rule: Rule, seed: int) -> list[float]:
    """Give the score after each batch."""
    drawn: list[int] = []
    scores, curve = None, []
    while len(drawn) < min(MOST, len(task.truth)):
        drawn += rule(task, drawn, scores, seed).position.tolist()
        if len(set(task.truth[drawn].tolist())) < 2:
            curve.append(0.0)
            continue
        model = task.fit(np.array(drawn))
        scores = task.scores(model, task.x)
        curve.append(task.judge(model))
    return curve


def describe(curves: np.ndarray, full: np.ndarray) -> dict[str, Any]:
    """Give mean score with its standard error at some counts, and the labels to a share of the full pool's score."""
    n = np.arange(1, curves.shape[1] + 1) * BATCH
    at = {
        str(count): {
            "mean": round(float(curves[:, count // BATCH - 1].mean()), 4),
            "standard_error": round(float(curves[:, count // BATCH - 1].std(ddof=1) / len(curves) ** 0.5), 4),
        }
        for count in SHOWN
        if count <= n[-1]
    }
    needed = {}
    for share in SHARES:
        reached = curves >= share * full[:, None]
        labels = sorted(int(n[row.argmax()]) if row.any() else MOST + BATCH for row in reached)
        needed[f"{share:.0%}"] = {
            "median": float(np.median(labels)),
            "mean": float(np.mean(labels)),
            "least": labels[0],
            "most": labels[-1],
            "never": sum(not row.any() for row in reached),
        }
    return {"at": at, "labels_to_share_of_full": needed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="two runs of two tasks")
    options = parser.parse_args()
    started, runs = time.time(), 2 if options.quick else 8
    names = ["digits", "sms_spam", "adult", "adult, 5% positive", "bank_marketing"][: 2 if options.quick else None]
    results = {}
    for name in names:
        if name != "digits" and not (options.data / name.split(",")[0]).is_dir():
            continue
        tasks = [read_task(name, options.data, seed) for seed in range(runs)]
        # scikit-activeml refuses sparse inputs.
        rules = RULES | (opponents() if isinstance(tasks[0].x, np.ndarray) else {})
        full = np.array([task.judge(task.fit(np.arange(len(task.truth)))) for task in tasks])
        results[name] = {
            "metric": "average precision" if tasks[0].n_classes == 2 else "accuracy",
            "learner": type(tasks[0].learner()).__name__,
            "pool": len(tasks[0].truth),
            "full_pool_score": round(float(full.mean()), 4),
            "rules": {
                rule: describe(np.array([learn(task, rules[rule], seed) for seed, task in enumerate(tasks)]), full)
                for rule in rules
            },
        }
        print(name, round(time.time() - started), "s", flush=True)
    report = {
        "what": "labels a model needs to learn, by the rule that chooses them; 620 stands for more than 600",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "lightgbm": lightgbm.__version__,
        "scikit-activeml": _opponent_version(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "runs": runs,
        "batch": BATCH,
        "seconds": round(time.time() - started),
        "tasks": results,
    }
    text = json.dumps(report, indent=1)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def _opponent_version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("scikit-activeml")
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
