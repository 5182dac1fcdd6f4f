"""Rows as numbers before anyone has answered: what the linear view makes of them, for choosing which to ask about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from martello.spec.schema import Field
from martello.train.learner import TrainingData
from martello.train.linear_view import fit_linear_view
from martello.train.ridge import as_matrix
from martello.train.texts import fit_texts

__all__ = ["encode_unlabeled"]


def encode_unlabeled(fields: tuple[Field, ...], columns: Mapping[str, Sequence[Any]]) -> Any:
    """Encode rows by their inputs alone.

    Parameters
    ----------
    fields, columns
        The declared inputs, and typed values by field name, each of length n.

    Returns
    -------
    A scipy.sparse matrix of n rows.
    """
    n = len(columns[fields[0].name])
    data = TrainingData(
        fields=fields,
        columns=columns,
        codes=np.zeros(n, dtype=np.int64),
        weights=np.ones(n),
        clusters=[str(row) for row in range(n)],
        classes=("unknown", "unknown too"),
    )
    texts, rows = fit_texts(data, seed=0, with_runs=False)  # nothing to choose by: no answer is known
    return as_matrix(fit_linear_view(fields, columns, texts, rows)[1])
