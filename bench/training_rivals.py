"""Train one tool on train.parquet, score test.parquet, and write what it gave; knows nothing of martello.

Run by `bench/training.py`, in an environment of its own where the tool is not one of ours:
``python bench/training_rivals.py TOOL FOLDER BUDGET``. The label is the column ``label`` (0 or 1). Every tool runs as
its documentation shows it first, on one thread. Writes FOLDER/TOOL.json.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import pandas as pd

LABEL = "label"


def lightgbm_defaults(train: pd.DataFrame, truth: pd.Series, test: pd.DataFrame, budget: float) -> object:
    """LGBMClassifier() with native categories."""
    from lightgbm import LGBMClassifier

    train, test = as_categories(train, test)
    names = {name: f"c{i}" for i, name in enumerate(train.columns)}  # it refuses some characters in names
    model = LGBMClassifier(verbosity=-1, n_jobs=1).fit(train.rename(columns=names), truth)
    return model.predict_proba(test.rename(columns=names))[:, 1]


def hist_gradient_boosting(train: pd.DataFrame, truth: pd.Series, test: pd.DataFrame, budget: float) -> object:
    """HistGradientBoostingClassifier() with native categories, numbers where there are more than it takes."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, test = as_categories(train, test)
    for name in train.select_dtypes("category"):
        if train[name].cat.categories.size > 250:
            train[name], test[name] = train[name].cat.codes, test[name].cat.codes
    model = HistGradientBoostingClassifier(categorical_features="from_dtype").fit(train, truth)
    return model.predict_proba(test)[:, 1]


def skrub(train: pd.DataFrame, truth: pd.Series, test: pd.DataFrame, budget: float) -> object:
    """tabular_pipeline("classification")."""
    from skrub import tabular_pipeline

    return tabular_pipeline("classification", n_jobs=1).fit(train, truth).predict_proba(test)[:, 1]


def flaml(train: pd.DataFrame, truth: pd.Series, test: pd.DataFrame, budget: float) -> object:
    """AutoML().fit(task="classification") within the budget, judged by its default, log loss or area."""
    from flaml import AutoML

    train, test = as_categories(train, test)
    model = AutoML()
    model.fit(train, truth, task="classification", time_budget=budget, n_jobs=1, seed=0, verbose=0)
    return model.predict_proba(test)[:, 1]


def as_categories(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make categories of text with the levels of train, and numbers of times."""
    train, test = train.copy(), test.copy()
    for name in train.columns:
        if pd.api.types.is_datetime64_any_dtype(train[name]):
            train[name], test[name] = train[name].astype("int64"), test[name].astype("int64")
        elif not pd.api.types.is_numeric_dtype(train[name]):
            train[name] = train[name].astype("object").astype("category")
            test[name] = pd.Categorical(test[name].astype("object"), categories=train[name].cat.categories)
    return train, test


TOOLS = {
    "lightgbm_defaults": (lightgbm_defaults, "lightgbm"),
    "hist_gradient_boosting": (hist_gradient_boosting, "scikit-learn"),
    "skrub": (skrub, "skrub"),
    "flaml": (flaml, "flaml"),
}


def main() -> None:
    """Train, score, write."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    tool, folder, budget = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    train, test = pd.read_parquet(folder / "train.parquet"), pd.read_parquet(folder / "test.parquet")
    run, package = TOOLS[tool]
    run(train.drop(columns=LABEL)[:200], train[LABEL][:200], test.drop(columns=LABEL)[:5], 1.0)  # imports, first calls
    wall, cpu = time.perf_counter(), time.process_time()
    scores = run(train.drop(columns=LABEL), train[LABEL], test.drop(columns=LABEL), budget)
    found = {
        "tool": tool,
        "version": version(package),
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "scores": [float(score) for score in scores],
    }
    (folder / f"{tool}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
