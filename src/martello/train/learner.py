"""What a learner is, what it is given and what it gives back, and how a learner is found by name.

A learner turns training data into files; the files alone make a scorer. Built-in learners stand in a lazy table and
third-party ones come by the entry-point group ``martello.learners``, so that nothing heavy is imported unused.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

import msgspec
import numpy as np
import numpy.typing as npt

from martello.errors import PluginError, SpecError, nearest
from martello.spec.schema import Field

__all__ = [
    "BUILT_IN",
    "UNIT",
    "Columns",
    "Fitted",
    "Floats",
    "Learner",
    "Scorer",
    "Settings",
    "TrainingData",
    "fit_model",
    "kind_of",
    "known_learners",
    "load_model",
    "open_learner",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Typed values by field name, in row order.
Columns = Mapping[str, Sequence[Any]]

Settings = dict[str, str | int | float | bool]

#: Built-in learners, simplest first: name → "module:class".
BUILT_IN = {
    "constant": "martello.train.constant:Constant",
    "rule": "martello.train.rule:Rule",
    "logistic": "martello.train.logistic:Logistic",
    "lightgbm": "martello.train.lightgbm:LightGBM",
    "random_forest": "martello.train.random_forest:RandomForest",
    "blend": "martello.train.blend:Blend",
    "onnx": "martello.train.onnx:Onnx",
    "endpoint": "martello.train.endpoint:Endpoint",
    "scores": "martello.train.scores:Scores",
}

#: Where columns hold the names of units beside the inputs; no field can be called so, and no request carries it.
UNIT = "\0unit"

_GROUP = "martello.learners"

#: The file that says which classes were seen in training, present only where some were not.
_UNSEEN = "unseen.json"


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Rows to learn from.

    Attributes
    ----------
    fields
        The declared inputs.
    columns
        Typed values by field name, each of length n, and perhaps the names of the units under `UNIT`.
    codes
        Class of each row as an index into `classes`, shape (n,).
    weights
        Design weights, shape (n,), with mean 1.
    clusters
        Cluster of each row; rows of a cluster never straddle an inner split. Length n.
    classes
        Names of the classes; binary: the second is the positive one.
    """

    fields: tuple[Field, ...]
    columns: Columns
    codes: Ints
    weights: Floats
    clusters: Sequence[str]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Sequence[int] | Ints) -> TrainingData:
        """Give some of the rows, in the order asked for; the weights have mean 1 again."""
        weights = self.weights[np.asarray(rows, dtype=np.int64)]
        return replace(
            self,
            columns={name: [values[i] for i in rows] for name, values in self.columns.items()},
            codes=self.codes[np.asarray(rows, dtype=np.int64)],
            weights=weights / weights.mean() if len(weights) else weights,
            clusters=[self.clusters[i] for i in rows],
        )

    def only(self, names: Sequence[str]) -> TrainingData:
        """Give the same rows with only these inputs."""
        fields = tuple(field for field in self.fields if field.name in names)
        kept = {field.name for field in fields} | {UNIT}
        return replace(self, fields=fields, columns={name: own for name, own in self.columns.items() if name in kept})


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained model: the settings it ended with and the files that are it, by file name (.json, .npz or .txt)."""

    settings: Settings
    files: dict[str, bytes]


class Scorer(Protocol):
    """Give scores for rows of typed values."""

    def scores(self, columns: Columns) -> Floats:
        """Give the score of each class for each row, shape (n, K).

        Rows sum to 1, and a row scores the same in every bit whatever rows are beside it.
        """
        ...


class Learner(Protocol):
    """Something that can be trained: bought, built in, or brought along."""

    name: str

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Train; with the settings of an earlier fit, without searching for them again.

        The same data, seed and settings give the same bytes.
        """
        ...

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> Scorer:
        """Make the scorer from the files of `Fitted`, running no code that comes with them."""
        ...


def known_learners() -> tuple[str, ...]:
    """Name every learner there is: the built-in ones, simplest first, then plug-ins by name."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=_GROUP)} - BUILT_IN.keys()))


def kind_of(name: str) -> str:
    """Give the learner of a name such as ``endpoint:small``, where one learner is tried with several options.

    Examples
    --------
    >>> kind_of("endpoint:small"), kind_of("logistic")
    ('endpoint', 'logistic')
    """
    return name.partition(":")[0]


def open_learner(name: str, options: Mapping[str, Any] | None = None) -> Learner:
    """Give the learner of this name, made with the options declared for it.

    Raises
    ------
    PluginError
        ``train.unknown-learner`` or ``train.broken-learner``.
    SpecError
        ``train.bad-options`` when a built-in learner is given options it does not know.
    """
    kind = kind_of(name)
    if kind in BUILT_IN:
        module, _, attribute = BUILT_IN[kind].partition(":")
        learner = getattr(importlib.import_module(module), attribute)
        try:
            return cast(Learner, learner(**(options or {})))
        except TypeError as err:
            raise SpecError(
                "train.bad-options",
                f"the learner {kind} cannot be made with the declared options: {err}",
                where=f"[train.options.{name}]",
                expected="options that it takes: docs/train.md lists them",
                fix=f"correct or take out [train.options.{name}]",
            ) from err
    for point in entry_points(group=_GROUP, name=kind):
        try:
            return cast(Learner, point.load()(**(options or {})))
        except Exception as err:
            raise PluginError(
                "train.broken-learner",
                f"the learner {kind} cannot be opened: {err}",
                where=point.value,
                expected=f"a class in the entry-point group {_GROUP} that takes the declared options",
                fix="correct the options, or reinstall the package that brings it",
            ) from err
    near = nearest(name, known_learners())
    raise PluginError(
        "train.unknown-learner",
        f"there is no learner called {name}",
        where="[train] learners",
        expected="one of: " + ", ".join(known_learners()),
        fix=f'did you mean "{near}"?' if near else f"install the package that brings {name}",
    )


def fit_model(
    learner: str,
    data: TrainingData,
    *,
    seed: int,
    settings: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Fitted:
    """Train a learner by name, with the settings of an earlier fit and the options declared for it.

    Classes that no training row shows are kept from the learner and given a small share afterwards.
    """
    seen = sorted(set(data.codes.tolist()))
    if len(seen) == len(data.classes) or len(seen) < 2:
        return open_learner(learner, options).fit(data, seed=seed, settings=settings)
    narrow = replace(data, codes=np.searchsorted(seen, data.codes), classes=tuple(data.classes[k] for k in seen))
    fitted = open_learner(learner, options).fit(narrow, seed=seed, settings=settings)
    unseen = _Unseen(seen=seen, share=0.5 / (len(data) + 1))
    return replace(fitted, files=fitted.files | {_UNSEEN: msgspec.json.encode(unseen)})


def load_model(
    learner: str, *, classes: tuple[str, ...], fields: tuple[Field, ...], files: Mapping[str, bytes]
) -> Scorer:
    """Make the scorer of a trained model from its files.

    Raises
    ------
    PluginError
        When the learner is not installed.
    """
    if _UNSEEN not in files:
        return open_learner(learner).load(files, fields=fields, classes=classes)
    unseen = msgspec.json.decode(files[_UNSEEN], type=_Unseen)
    scorer = open_learner(learner).load(files, fields=fields, classes=tuple(classes[k] for k in unseen.seen))
    return _Widened(scorer, unseen, len(classes))


class _Unseen(msgspec.Struct, frozen=True):
    """Which classes were seen in training, and the share each of the others is given: half a row's worth."""

    seen: list[int]
    share: float


class _Widened:
    """Scores of the classes seen in training, made room among for the others."""

    def __init__(self, scorer: Scorer, unseen: _Unseen, n_classes: int) -> None:
        self._scorer = scorer
        self._unseen = unseen
        self._n_classes = n_classes

    def scores(self, columns: Columns) -> Floats:
        seen = self._scorer.scores(columns)
        wide = np.full((len(seen), self._n_classes), self._unseen.share)
        wide[:, self._unseen.seen] = seen * (1.0 - self._unseen.share * (self._n_classes - len(self._unseen.seen)))
        return wide
