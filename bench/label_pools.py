"""Pools for the label benchmark: simulated ones with a learned model, and real ones whose labels hide behind an oracle.

Only `bench/labels.py` uses this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OrdinalEncoder

DISTORTIONS = ("learned", "overconfident", "useless")
REAL = ("bank_marketing", "adult", "sms_spam")


@dataclass(frozen=True)
class Pool:
    """Scores, hidden labels and flags of the units of a pool."""

    scores: np.ndarray
    truth: np.ndarray
    flagged: np.ndarray

    def select(self, rows: np.ndarray) -> Pool:
        return Pool(self.scores[rows], self.truth[rows], self.flagged[rows])

    def distort(self, how: str, seed: int) -> Pool:
        """Make the scores overconfident (logit doubled, plus 1) or useless (permuted); flags stay."""
        scores = np.clip(self.scores, 1e-6, 1 - 1e-6)
        if how == "overconfident":
            scores = expit(2 * logit(scores) + 1)
        elif how == "useless":
            scores = np.random.default_rng([seed, 77]).permutation(scores)
        return Pool(scores, self.truth, self.flagged)

    @property
    def precision(self) -> float:
        return float(self.truth[self.flagged].mean())

    @property
    def recall(self) -> float:
        return float(self.truth[self.flagged].sum() / self.truth.sum())


def simulated_world(offset: float, *, n: int, seed: int) -> Pool:
    """A gradient-boosted model on eight features, one interaction, a wave, a kink; labels from a known chance."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + 60_000, 8))
    signal = 1.6 * x[:, 0] + 1.2 * x[:, 1] * x[:, 2] + np.sin(2 * x[:, 3]) + 0.8 * np.abs(x[:, 4]) + 0.5 * x[:, 5]
    truth = (rng.random(len(x)) < expit(2 * (signal + offset))).astype(int)
    model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.08, random_state=0)
    model.fit(x[:60_000], truth[:60_000])
    return Pool(model.predict_proba(x[60_000:])[:, 1], truth[60_000:], np.ones(n, dtype=bool))


def flagged_pool(world: Pool, precision: float, *, n: int, seed: int) -> Pool:
    """The threshold is moved to where precision is as asked; n flagged units are drawn with exactly that precision."""
    order = np.argsort(-world.scores)
    running = np.cumsum(world.truth[order]) / np.arange(1, len(order) + 1)
    flagged = order[: np.flatnonzero(running[n:] >= precision)[-1] + n + 1]
    rng = np.random.default_rng(seed)
    n_yes = round(precision * n)
    yes, no = (flagged[world.truth[flagged] == y] for y in (1, 0))
    rows = np.concatenate([rng.choice(yes, n_yes, replace=n_yes > len(yes)), rng.choice(no, n - n_yes, replace=False)])
    return world.select(rows)


def rare_pool(world: Pool, precision: float, *, n: int, seed: int) -> Pool:
    """Units of the whole population, flagged where precision is as asked in the large."""
    order = np.argsort(-world.scores)
    running = np.cumsum(world.truth[order]) / np.arange(1, len(order) + 1)
    threshold = world.scores[order[np.flatnonzero(running[500:] >= precision)[-1] + 500]]
    rows = np.random.default_rng(seed).choice(len(world.scores), n, replace=False)
    drawn = world.select(rows)
    return Pool(drawn.scores, drawn.truth, drawn.scores >= threshold)


def real_pool(name: str, data: Path) -> Pool:
    """Train on half of a real set; the other half is the pool, flagged where the training half reaches a precision."""
    import pandas as pd

    table = pd.read_parquet(data / name / f"{name}.parquet").drop_duplicates(ignore_index=True)
    label, positive, left_out, floor = {
        "bank_marketing": ("y", "yes", ["duration", "row_order"], 0.60),  # duration is known only after the call
        "adult": ("income", ">50K", [], 0.80),
        "sms_spam": ("label", "spam", [], 0.85),
    }[name]
    truth = (table[label] == positive).to_numpy().astype(int)
    side = np.random.default_rng(5).random(len(table)) < 0.5
    features = table.drop(columns=[label, *left_out])
    scores = _text_scores(features, truth, side) if name == "sms_spam" else _table_scores(features, truth, side)
    within = np.sort(scores[side])[::-1]
    hits = np.cumsum(truth[side][np.argsort(-scores[side])]) / np.arange(1, side.sum() + 1)
    threshold = within[np.flatnonzero(hits >= floor)[-1]]
    return Pool(scores[~side], truth[~side], scores[~side] >= threshold)


def _table_scores(features: object, truth: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Cross-fitted on the training half, so that its own precision is honest; one model for the pool."""
    x = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit_transform(features.astype(str))
    return _cross_fit(lambda: HistGradientBoostingClassifier(max_iter=120, random_state=0), x, truth, side)


def _text_scores(features: object, truth: np.ndarray, side: np.ndarray) -> np.ndarray:
    text = features.iloc[:, 0].astype(str)
    x = TfidfVectorizer(min_df=2).fit(text[side]).transform(text)
    return _cross_fit(lambda: LogisticRegression(C=3.0), x, truth, side)


def _cross_fit(make: object, x: object, truth: np.ndarray, side: np.ndarray) -> np.ndarray:
    scores = make().fit(x[side], truth[side]).predict_proba(x)[:, 1]
    fold = np.random.default_rng(6).integers(4, size=len(truth))
    for k in range(4):
        train, held = side & (fold != k), side & (fold == k)
        scores[held] = make().fit(x[train], truth[train]).predict_proba(x[held])[:, 1]
    return scores
