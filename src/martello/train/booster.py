"""Score with LightGBM's shared library alone, without importing its package (which brings pandas and scikit-learn).

A text model is given to the library through ctypes. One row goes by the library's fast call for single rows, many
rows by its batch call; both run on one thread and give the same bits as `lightgbm.Booster.predict`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from martello.errors import IntegrityError, PluginError

__all__ = ["Booster", "library_path"]

Floats = npt.NDArray[np.float64]

_NORMAL = 0  # C_API_PREDICT_NORMAL: scores after the objective's transformation
_RAW = 1  # C_API_PREDICT_RAW_SCORE: sums of leaves
_FLOAT64 = 1  # C_API_DTYPE_FLOAT64
_ONE_THREAD = b"num_threads=1"  # more threads spin while a core is taken and turn microseconds into milliseconds
_LIBRARIES = ("lib_lightgbm.so", "lib_lightgbm.dylib", "lib_lightgbm.dll")


@cache
def _library() -> ctypes.PyDLL:
    """Load the library; its calls take microseconds, so the interpreter's lock is kept (PyDLL)."""
    try:
        library = ctypes.PyDLL(str(library_path()))
    except OSError as err:
        raise PluginError(
            "train.no-lightgbm",
            f"LightGBM's library cannot be loaded: {err}",
            expected="the package lightgbm and its OpenMP library (libgomp)",
            fix="pip install lightgbm; on a slim image also install libgomp1",
        ) from err
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


def library_path() -> Path:
    """Find LightGBM's shared library without importing the package.

    Raises
    ------
    PluginError
        ``train.no-lightgbm`` when it is not installed.
    """
    spec = importlib.util.find_spec("lightgbm")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for name in _LIBRARIES:
            for folder in ("lib", "bin"):
                if (path := Path(place, folder, name)).exists():
                    return path
    raise PluginError(
        "train.no-lightgbm",
        "LightGBM's library is not installed",
        expected="the package lightgbm",
        fix="pip install lightgbm",
    )


class Booster:
    """A forest of trees read from LightGBM's text format.

    Parameters
    ----------
    text
        The model as `lightgbm.Booster.model_to_string` writes it.
    width
        Columns of the rows to score.
    n_outputs
        Classes of the task; a binary model gives the score of the second.
    raw
        Prepare for `logits` instead of `scores`.

    Raises
    ------
    IntegrityError
        ``train.not-a-forest`` when the text is no model, or one of another width or number of classes.
    """

    def __init__(self, text: bytes, *, width: int, n_outputs: int, raw: bool = False) -> None:
        self._width = width
        self._kind = _RAW if raw else _NORMAL
        self._n_raw = 1 if n_outputs == 2 else n_outputs
        self._handle = ctypes.c_void_p()
        self._fast = ctypes.c_void_p()
        library = _library()
        trees = ctypes.c_int()
        _call(library.LGBM_BoosterLoadModelFromString, text, ctypes.byref(trees), ctypes.byref(self._handle))
        weakref.finalize(self, _free, library.LGBM_BoosterFree, self._handle)
        self._check_shape()
        _call(
            library.LGBM_BoosterPredictForMatSingleRowFastInit,
            self._handle,
            self._kind,
            0,
            -1,
            _FLOAT64,
            width,
            _ONE_THREAD,
            ctypes.byref(self._fast),
        )
        weakref.finalize(self, _free, library.LGBM_FastConfigFree, self._fast)

    def _check_shape(self) -> None:
        features, outputs = ctypes.c_int(), ctypes.c_int()
        _call(_library().LGBM_BoosterGetNumFeature, self._handle, ctypes.byref(features))
        _call(_library().LGBM_BoosterGetNumClasses, self._handle, ctypes.byref(outputs))
        if (features.value, outputs.value) != (self._width, self._n_raw):
            raise _not_a_forest(f"it has {features.value} columns and {outputs.value} outputs")

    def scores(self, table: Floats) -> Floats:
        """Give the scores of rows of shape (n, width) as (n, n_outputs)."""
        raw = self._outputs(table)
        return np.hstack([1.0 - raw, raw]) if self._n_raw == 1 else raw

    def logits(self, table: Floats) -> Floats:
        """Give the sums of leaves of rows of shape (n, width) as (n, 1 or K), from a booster made with `raw`."""
        return self._outputs(table)

    def _outputs(self, table: Floats) -> Floats:
        table = np.ascontiguousarray(table, dtype=np.float64)
        raw = np.zeros((len(table), self._n_raw))
        written = ctypes.c_int64()
        if len(table) == 1:
            self._score_one(table, written, raw)
        elif len(table):
            self._score_many(table, written, raw)
        return raw

    def _score_one(self, row: Floats, written: ctypes.c_int64, raw: Floats) -> None:
        _call(
            _library().LGBM_BoosterPredictForMatSingleRowFast,
            self._fast,
            ctypes.c_void_p(row.ctypes.data),
            ctypes.byref(written),
            ctypes.c_void_p(raw.ctypes.data),
        )

    def _score_many(self, table: Floats, written: ctypes.c_int64, raw: Floats) -> None:
        _call(
            _library().LGBM_BoosterPredictForMat,
            self._handle,
            ctypes.c_void_p(table.ctypes.data),
            _FLOAT64,
            ctypes.c_int32(len(table)),
            ctypes.c_int32(self._width),
            1,  # row after row
            self._kind,
            0,
            -1,
            _ONE_THREAD,
            ctypes.byref(written),
            ctypes.c_void_p(raw.ctypes.data),
        )


def _call(function: Any, *arguments: Any) -> None:
    """Call the library; it answers 0, or leaves its last error behind."""
    if function(*arguments) != 0:
        raise _not_a_forest(_library().LGBM_GetLastError().decode(errors="replace"))


def _free(function: Any, handle: ctypes.c_void_p) -> None:
    function(handle)


def _not_a_forest(why: str) -> IntegrityError:
    return IntegrityError(
        "train.not-a-forest",
        f"the trees cannot be read: {why}",
        where="trees.txt",
        expected="a LightGBM text model for the declared inputs and classes",
        fix="restore the file, or train again",
    )
