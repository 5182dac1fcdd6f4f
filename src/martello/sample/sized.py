"""Which units are drawn with uneven probability: by a column of sizes, or by how unsure an earlier score is of them.

Keys and numbers are fetched and decided by `martello.stats.pps` from the same hashes as every other draw; sums over a
group are rounded once (`math.fsum`), so that no engine's order of adding shows. Which size serves which purpose is
docs/decisions/0006-draws-weighted-by-doubt.md.
"""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from martello.engines.base import Engine
from martello.errors import DataError
from martello.sample.source import Source
from martello.spec.schema import SampleDesign
from martello.stats.design import hash_order
from martello.stats.pps import draw_pps

__all__ = ["doubt_sizes", "pick_by_size"]

_Floats = NDArray[np.float64]

#: Share of the mean that is added to every size, so that a score that is sure and wrong is still found out.
_FLOOR = 0.5


def doubt_sizes(score: _Floats) -> _Floats:
    """Give sizes by which to draw units of which a score in [0, 1] is unsure more often.

    The size is sqrt(s (1 - s)), the spread of a yes or no that has chance s, plus half of its mean over all units. No
    unit then counts more than three times as much as in a simple draw of as many.

    Examples
    --------
    >>> doubt_sizes(np.array([0.0, 0.5, 1.0, 0.5])).tolist()
    [0.125, 0.625, 0.125, 0.625]
    """
    spread = np.sqrt(score * (1 - score))
    return np.asarray(spread + _FLOOR * math.fsum(spread) / spread.size, dtype=np.float64)


def pick_by_size(engine: Engine, source: Source, design: SampleDesign, n: int) -> dict[str, float]:
    """Draw n units, or groups, in proportion to size, and give the probability of each by its key.

    Raises
    ------
    DataError
        ``sample.size-not-positive``, ``sample.score-missing``, ``sample.score-not-a-chance``, ``sample.no-doubt``.
    """
    table = engine.arrow(f"SELECT {source.key} AS key, _size AS size FROM {source.typed} AS typed ORDER BY 1")
    found = np.asarray(table["size"].to_numpy(), dtype=np.float64)
    sizes = _checked_sizes(found, design) if design.design == "pps" else doubt_sizes(_checked_scores(found, design))
    keys = [str(key) for key in table["key"].to_pylist()]
    if source.has_group:
        pairs = groupby(zip(keys, sizes.tolist(), strict=True), key=lambda pair: pair[0])
        sums = {key: math.fsum(size for _, size in of_key) for key, of_key in pairs}
        keys, sizes = list(sums), np.fromiter(sums.values(), dtype=np.float64)
    picked = draw_pps(hash_order(keys, f"{design.seed}|draw"), sizes, n)
    return {keys[place]: float(pi) for place, pi in zip(picked.positions.tolist(), picked.pi, strict=True)}


def _checked_sizes(sizes: _Floats, design: SampleDesign) -> _Floats:
    bad = int(np.sum(~(np.isfinite(sizes) & (sizes > 0))))
    if bad:
        raise DataError(
            "sample.size-not-positive",
            f"{bad} of {sizes.size} have no size above 0, so they could never be drawn",
            where=f"[sample] size, column {design.size!r}",
            expected="a finite number above 0 in every row",
            fix="give them a small size, or take them out of the population with population.where",
        )
    return sizes


def _checked_scores(scores: _Floats, design: SampleDesign) -> _Floats:
    where = f"[sample] score, column {design.score!r}"
    absent = int(np.sum(np.isnan(scores)))
    if absent:
        raise DataError(
            "sample.score-missing",
            f"{absent} of {scores.size} have no score",
            where=where,
            expected="a number in [0, 1] in every row",
            fix="score them, or take them out of the population with population.where",
        )
    outside = scores[~((scores >= 0) & (scores <= 1))]
    if outside.size:
        raise DataError(
            "sample.score-not-a-chance",
            f"{outside.size} of {scores.size} scores lie outside [0, 1], for example {outside.min():g}",
            where=where,
            expected="the chance of a yes, as a number in [0, 1]",
            fix='turn the score into a chance, or draw by it as it stands: design = "pps", size = the column',
        )
    if not ((scores > 0) & (scores < 1)).any():
        raise DataError(
            "sample.no-doubt",
            "every score is 0 or 1, so none is less sure than another",
            where=where,
            expected="scores that say how likely a yes is",
            fix='name the score itself and not the decision made from it, or take design = "simple"',
        )
    return scores
