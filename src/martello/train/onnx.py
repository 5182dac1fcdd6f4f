"""A model built elsewhere and brought as an ONNX file: nothing is learned, and it is judged like any other.

It is declared which inputs of the file get which fields, and which output is the scores. Rows are scored one by one on
one thread, because a batch may be summed in another order. The file is kept inside an array, so that a release holds
the formats it knows; onnxruntime runs its operators and no code of the file's author.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from martello.errors import DataError, IntegrityError, MartelloError, PluginError, SpecError
from martello.spec.schema import Field
from martello.train.arrays import pack_arrays, unpack_arrays
from martello.train.learner import Columns, Fitted, Floats, TrainingData

__all__ = ["Onnx"]

#: What onnxruntime calls the types of tensors that values can be put into, and what numpy calls them.
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}

_FITTED_ON = 20

#: Numbers beyond what 32 bits hold are taken as their ends.
_FARTHEST = float(np.finfo(np.float32).max)


class _Stored(msgspec.Struct, frozen=True):
    """How the file is fed and read."""

    inputs: dict[str, list[str]]
    output: str
    classes: list[str]
    missing: dict[str, str | int | float | bool]


class Onnx:
    """Bring a model.

    Parameters
    ----------
    file
        The ONNX file.
    inputs
        For each input of the file, the field that it gets, or the fields in the order of its columns.
    output
        The output that holds the scores of the classes, shape (n, K), or of the second of two, shape (n,) or (n, 1).
    classes
        The task's classes in the order of the output; empty: as in the task.
    missing
        What stands for a missing value, by field; numbers that are not named get NaN where the input takes it.
    """

    name = "onnx"

    def __init__(
        self,
        file: str = "",
        inputs: Mapping[str, str | Sequence[str]] | None = None,
        output: str = "",
        classes: Sequence[str] = (),
        missing: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        self._file = file
        fields = {name: [own] if isinstance(own, str) else list(own) for name, own in (inputs or {}).items()}
        self._stored = _Stored(fields, output, list(classes), dict(missing or {}))

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Read the file and try it on some rows; nothing is learned.

        Raises
        ------
        SpecError
            ``train.onnx-options`` when the declaration does not fit the file or the task.
        DataError
            ``train.onnx-missing`` or ``train.onnx-file``.
        PluginError
            ``train.no-onnxruntime`` or ``train.onnx-output``.
        """
        try:
            content = Path(self._file).read_bytes()
        except OSError as err:
            raise DataError(
                "train.onnx-file",
                f"the model cannot be read: {err.strerror or err}",
                where=self._file or "[train.options.onnx] file",
                expected="an ONNX file",
                fix='file = "model.onnx"',
            ) from err
        files = {
            "model.npz": pack_arrays({"onnx": np.frombuffer(content, dtype=np.uint8)}),
            "mapping.json": msgspec.json.encode(self._stored),
        }
        scorer = self.load(files, fields=data.fields, classes=data.classes)
        scorer.scores(data.take(range(min(_FITTED_ON, len(data)))).columns)
        return Fitted(settings={"output": self._stored.output}, files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Session:
        """Make the scorer from the file and the declaration."""
        stored = msgspec.json.decode(files["mapping.json"], type=_Stored)
        return _Session(unpack_arrays(files["model.npz"])["onnx"].tobytes(), stored, fields, classes)


class _Session:
    def __init__(self, content: bytes, stored: _Stored, fields: tuple[Field, ...], classes: tuple[str, ...]) -> None:
        self._session = _open(content)
        self._stored = stored
        self._any_field = fields[0].name
        self._types = {one.name: _TYPES.get(one.type) for one in self._session.get_inputs()}
        outputs = [one.name for one in self._session.get_outputs()]
        named = {name for own in stored.inputs.values() for name in own}
        if stored.inputs.keys() != self._types.keys():
            raise _unfit("inputs", f"the file has the inputs {', '.join(self._types)}")
        if unknown := sorted((named | stored.missing.keys()) - {field.name for field in fields}):
            raise _unfit("inputs", f"{unknown[0]} is no field of the task")
        if stored.output not in outputs:
            raise _unfit("output", f"the file has the outputs {', '.join(outputs)}")
        if stored.classes and sorted(stored.classes) != sorted(classes):
            raise _unfit("classes", f"the task has the classes {', '.join(classes)}")
        if odd := [name for name, kind in self._types.items() if kind is None]:
            raise _unfit("inputs", f"the input {odd[0]} takes no numbers or text")
        self._order = [stored.classes.index(name) for name in classes] if stored.classes else list(range(len(classes)))

    def scores(self, columns: Columns) -> Floats:
        n = len(columns[self._any_field])
        return np.array([self._one({name: own[i] for name, own in columns.items()}) for i in range(n)]).reshape(
            n, len(self._order)
        )

    def _one(self, row: Mapping[str, Any]) -> Floats:
        fed = {}
        try:
            for name, fields in self._stored.inputs.items():
                kind = self._types[name]
                fed[name] = np.array([[self._value(row, field, kind) for field in fields]], dtype=kind)
            (answer,) = self._session.run([self._stored.output], fed)
        except MartelloError:
            raise
        except Exception as err:  # onnxruntime's own classes are not public
            raise _unfit("inputs", f"the file cannot be run: {err}") from err
        is_numbers = isinstance(answer, np.ndarray) and answer.dtype.kind == "f"
        found = answer.astype(np.float64).ravel() if is_numbers else np.empty(0)
        if len(found) == 1 and len(self._order) == 2:
            found = np.array([1.0 - found[0], found[0]])
        if len(found) != len(self._order) or not np.all((found >= 0) & (found <= 1)) or abs(found.sum() - 1) > 1e-3:
            raise PluginError(
                "train.onnx-output",
                f"the output {self._stored.output} gives {np.array2string(found[:5])} for a row",
                where="[train.options.onnx] output",
                expected=f"the probabilities of {len(self._order)} classes",
                fix="name the output that holds probabilities; export without ZipMap (scikit-learn: zipmap=False)",
            )
        found = found[self._order]
        return found / (found.sum() or 1.0)

    def _value(self, row: Mapping[str, Any], field: str, kind: Any) -> Any:
        value = row[field]
        if value is not None:
            return float(np.clip(value, -_FARTHEST, _FARTHEST)) if kind is np.float32 else value
        if field in self._stored.missing:
            return self._stored.missing[field]
        if kind in (np.float32, np.float64):
            return np.nan
        raise DataError(
            "train.onnx-missing",
            f"{field} is missing in a row, and the model has no way to say so",
            where=f"[train.options.onnx] missing.{field}",
            expected="the value that stood for missing when the model was made",
            fix=f'missing = {{ {field} = "…" }}',
        )


def _open(content: bytes) -> Any:
    try:
        onnxruntime: Any = importlib.import_module("onnxruntime")  # the package has no types
    except ImportError as err:
        raise PluginError(
            "train.no-onnxruntime",
            "the learner onnx needs the package onnxruntime",
            expected="onnxruntime",
            fix="pip install 'martello[onnx]'",
        ) from err
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as err:  # onnxruntime's own classes are not public
        raise IntegrityError(
            "train.not-onnx",
            f"the model cannot be opened: {err}",
            expected="an ONNX model of standard operators",
            fix="export it again",
        ) from err


def _unfit(option: str, why: str) -> SpecError:
    return SpecError(
        "train.onnx-options",
        f"the declaration does not fit the model: {why}",
        where=f"[train.options.onnx] {option}",
        expected="inputs that name every input of the file and fields of the task, and an output of the file",
        fix='inputs = { INPUT = ["field", "field"] }, output = "probabilities"',
    )
