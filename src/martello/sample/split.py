"""Train, dev and gold without leakage: units that belong together never lie on two sides.

Units belong together when they share a group, hold exactly the same inputs, or are near copies (`near`). Without a time
the side is a hash of what belongs together; with a time, gold is later than dev and dev is later than train.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from martello.records import Finding

__all__ = ["Division", "divide_units", "retire_shown"]

# When most rows share their inputs with another row, equal inputs are types of unit and not copies of one record;
# keeping each type on one side would then judge the model only on types it never saw.
_COPIES_AT_MOST = 0.5
_NO_PAIRS = np.empty((0, 2), dtype=np.int64)


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """Which side each unit is on.

    Attributes
    ----------
    split
        "train", "dev", "gold" or "aside" per unit.
    cluster
        Key of what belongs together, per unit: the smallest unit key in it.
    is_clustered
        Whether any cluster holds more than one unit.
    copies_are_types
        Whether equal inputs were taken for types of unit, which may lie on two sides.
    findings
        What a person should know about it.
    """

    split: list[str]
    cluster: list[str]
    is_clustered: bool
    copies_are_types: bool
    findings: tuple[Finding, ...]


def divide_units(
    units: pa.Table, *, dev: float, gold: float, seed: int, near: NDArray[np.int64] | None = None
) -> Division:
    """Divide drawn units (in order of `unit`) into train, dev and gold.

    Parameters
    ----------
    units
        Columns `unit`, `group`, `time`, `content`, as `draw_units` gives them.
    dev, gold
        Shares of the sample, in (0, 1).
    seed
        Salt of the hash.
    near
        Pairs of rows that are near copies, shape (k, 2), as `near_copies` gives them; None: not looked for.
    """
    near = _NO_PAIRS if near is None else near
    keys = units.column("unit").to_pylist()
    groups = units.column("group").to_pylist()
    contents = units.column("content").to_pylist()
    links = [_codes(groups)] if units.column("group").null_count < units.num_rows else []
    findings = []
    copies = _codes(contents)
    is_copy = np.bincount(copies)[copies] > 1
    is_near = np.zeros(len(keys), dtype=bool)
    is_near[near[copies[near[:, 0]] != copies[near[:, 1]]]] = True
    shared = float(np.mean(is_copy | is_near)) if len(keys) else 0.0
    is_types = shared > _COPIES_AT_MOST
    if is_types:
        findings.append(_types_not_copies(shared))
        near = _NO_PAIRS
    else:
        links.append(copies)
    component = _components(links, near, len(keys))
    cluster = [keys[first] for first in _first_of_each(component)[component]]
    if units.column("time").null_count < units.num_rows:
        split = _by_time(np.asarray(units.column("time").to_pylist(), dtype=np.int64), component, dev, gold)
    else:
        split = [_by_hash(key, dev, gold, seed) for key in cluster]
    if is_copy.any() and not is_types:
        findings.append(_copies_kept_together(float(np.mean(is_copy))))
    if is_near.any() and not is_types:
        findings.append(_near_copies_kept_together(int(is_near.sum())))
    if n_aside := split.count("aside"):
        findings.append(_set_aside(n_aside))
    return Division(
        split=split,
        cluster=cluster,
        is_clustered=len(set(cluster)) < len(keys),
        copies_are_types=is_types,
        findings=tuple(findings),
    )


def retire_shown(division: Division, keys: list[str], shown: frozenset[str], *, is_timed: bool) -> Division:
    """Take what belongs together with a unit whose gold answer was shown out of gold: it can no longer judge.

    It goes to dev; with a time it is set aside, since it is later than dev.
    """
    seen = {cluster for key, cluster in zip(keys, division.cluster, strict=True) if key in shown}
    to = "aside" if is_timed else "dev"
    split = [
        to if side == "gold" and cluster in seen else side
        for side, cluster in zip(division.split, division.cluster, strict=True)
    ]
    n = division.split.count("gold") - split.count("gold")
    if not n:
        return division
    finding = Finding(
        code="sample.shown-gold-retired",
        what=f"{n} gold units judge no more: their answers, or those of their copies, were shown; they are {to} now",
        severity="note",
    )
    return msgspec.structs.replace(division, split=split, findings=(*division.findings, finding))


def _codes(values: list[Any]) -> NDArray[np.int64]:
    return np.unique(np.asarray(values, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def _components(links: list[NDArray[np.int64]], pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Label what is connected through any link or pair: a graph of units and of the things they share."""
    rows, columns, offset = [pairs[:, 0]], [pairs[:, 1]], n
    for codes in links:
        rows.append(np.arange(n))
        columns.append(codes + offset)
        offset += int(codes.max(initial=-1)) + 1
    ends = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(offset, offset))
    labels = connected_components(graph, directed=False)[1][:n]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _first_of_each(component: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(component, return_index=True)[1].astype(np.int64)


def _by_hash(key: str, dev: float, gold: float, seed: int) -> str:
    position = int(hashlib.md5(f"{seed}|split|{key}".encode(), usedforsecurity=False).hexdigest()[:16], 16) / 16**16
    if position < gold:
        return "gold"
    return "dev" if position < gold + dev else "train"


def _by_time(time: NDArray[np.int64], component: NDArray[np.int64], dev: float, gold: float) -> list[str]:
    """Put everything later than a cut on the later side; what belongs to it but is earlier is set aside.

    Every unit later than the last cut is gold, so gold stands for the later population without a hole.
    """
    dev_from, gold_from = np.quantile(time, [1 - dev - gold, 1 - gold], method="lower")
    latest = np.full(int(component.max(initial=-1)) + 1, np.iinfo(np.int64).min)
    np.maximum.at(latest, component, time)
    of_cluster = latest[component]
    side = np.where(of_cluster > gold_from, "gold", np.where(of_cluster > dev_from, "dev", "train"))
    is_earlier = ((side == "gold") & (time <= gold_from)) | ((side == "dev") & (time <= dev_from))
    return [str(name) for name in np.where(is_earlier, "aside", side)]


def _types_not_copies(shared: float) -> Finding:
    return Finding(
        code="sample.inputs-are-types",
        what=f"{100 * shared:.0f} % of the units hold the same inputs as another, or nearly: these are taken for types "
        "of unit, not for copies, and may lie on two sides",
        severity="warning",
    )


def _copies_kept_together(shared: float) -> Finding:
    return Finding(
        code="sample.copies-kept-together",
        what=f"{100 * shared:.1f} % of the units hold exactly the same inputs as another; each set of copies is on one "
        "side, and intervals count it as one cluster",
        severity="note",
    )


def _near_copies_kept_together(n: int) -> Finding:
    return Finding(
        code="sample.near-copies-kept-together",
        what=f"{n} units hold nearly the same text as another; near copies are on one side, and intervals count each "
        "set of them as one cluster",
        severity="note",
    )


def _set_aside(n: int) -> Finding:
    return Finding(
        code="sample.set-aside",
        what=f"{n} units are used nowhere: they belong together with later units that judge",
        severity="note",
    )
