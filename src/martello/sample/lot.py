"""The draw as SQL: who is in is decided by md5(seed | draw | key), so every engine draws the same rows.

A design is a threshold on that hash or a rank by it, within a stratum or within all. Where groups are declared the key
is that of the group, and a group is drawn whole. Draws with uneven probability are decided in `sized`. The SQL keeps to
what engines share: md5 of a text, comparison of texts, window functions.
"""

from __future__ import annotations

import math

import msgspec

from martello.engines.base import Engine
from martello.engines.dialect import literal
from martello.records import Frame
from martello.sample.quota import Quota, frame_size, lots_to_draw, plan_quotas
from martello.sample.sized import pick_by_size
from martello.sample.source import Source
from martello.spec.schema import SampleDesign

__all__ = ["Lot", "cast_lots", "hash_threshold"]

_DIGITS = 16
_SPACE = 16**_DIGITS


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """A draw that is decided but not yet fetched.

    Attributes
    ----------
    drawn
        Relation of the drawn rows: every column of the source, with `_pi` and `_pi_within`, the probability of the unit
        (or its group) and that of the unit within its drawn group.
    rest, rest_order
        Relation of the rows that neither were drawn nor share a group with one that was, with the same columns, and an
        order of chance for it.
    quotas
        How many of how many units (or groups), in all or by stratum; empty for draws by threshold.
    design
        The draw in a sentence.
    """

    drawn: str
    rest: str
    rest_order: str
    quotas: tuple[Quota, ...]
    design: str


def hash_threshold(probability: float) -> tuple[str, float]:
    """Give the hex threshold of an inclusion probability, and the probability it really gives.

    Examples
    --------
    >>> hash_threshold(0.5)
    ('8000000000000000', 0.5)
    """
    count = min(round(probability * _SPACE), _SPACE - 1)
    return f"{count:0{_DIGITS}x}", count / _SPACE


def cast_lots(engine: Engine, source: Source, frame: Frame, design: SampleDesign) -> Lot:
    """Decide a draw by its design.

    Raises
    ------
    DataError
        ``sample.too-many``, and those of `plan_quotas` and `pick_by_size`.
    """
    if design.design in ("pps", "score_weighted"):
        return _by_size(engine, source, frame, design)
    if design.design == "bernoulli":
        return _by_threshold(source, frame, design)
    return _by_rank(source, frame, design, plan_quotas(engine, source, frame, design))


def _position(seed: int, purpose: str, key: str) -> str:
    return f"md5('{seed}|{purpose}|' || {key})"


def _number(value: float) -> str:
    """Write a float so that every engine reads exactly it, and no decimal of its own."""
    return f"CAST('{value!r}' AS DOUBLE PRECISION)"


def _by_threshold(source: Source, frame: Frame, design: SampleDesign) -> Lot:
    n = lots_to_draw(design, source, frame)
    if n == frame_size(source, frame):
        return _census(source)
    assert design.n is not None
    threshold, probability = hash_threshold(design.n / frame.n_units)
    position = _position(design.seed, "draw", source.key)
    what = f"SELECT *, {_number(probability)} AS _pi, {_number(1.0)} AS _pi_within FROM {source.typed} AS typed"
    return Lot(
        drawn=f"({what} WHERE {position} < '{threshold}')",
        rest=f"({what} WHERE {position} >= '{threshold}')",
        rest_order=position,
        quotas=(),
        design=f"Bernoulli sample of {_of_what(source)} by hash, probability {probability:.6g}",
    )


def _census(source: Source) -> Lot:
    what = f"SELECT *, {_number(1.0)} AS _pi, {_number(1.0)} AS _pi_within FROM {source.typed} AS typed"
    return Lot(
        drawn=f"({what})",
        rest=f"({what} WHERE 1 = 0)",
        rest_order="_unit",
        quotas=(),
        design="census: every unit of the frame",
    )


def _by_rank(source: Source, frame: Frame, design: SampleDesign, quotas: tuple[Quota, ...]) -> Lot:
    """Draw the n smallest hashes of each stratum; in two stages, then the k smallest in each drawn group."""
    key = source.key
    placed = f"(SELECT *, {_position(design.seed, 'draw', key)} AS _position FROM {source.typed} AS typed)"
    # All units of a group share its hash and so its rank.
    rank = f"dense_rank() OVER (PARTITION BY _stratum ORDER BY _position, {key})"
    drawn = (
        f"(SELECT * FROM (SELECT *, {rank} AS _rank FROM {_cut(placed, quotas)} AS cut) AS ranked WHERE _rank <= _n)"
    )
    if design.per_cluster is None:
        relation = f"(SELECT *, {_number(1.0)} AS _pi_within FROM {drawn} AS drawn)"
    else:
        relation = _within(drawn, key, design.seed, design.per_cluster)
    return Lot(
        drawn=relation,
        rest=_rest(source, drawn),
        rest_order=_position(design.seed, "reserve", key),
        quotas=quotas,
        design=_sentence(source, frame, design, quotas),
    )


def _cut(placed: str, quotas: tuple[Quota, ...]) -> str:
    """Write the relation of the rows that can be drawn at all, with `_n` and `_pi` of their stratum.

    Ranking sorts; a threshold on the hash first takes away nearly all rows that cannot be among the n smallest.
    """
    if len(quotas) == 1:
        (only,) = quotas
        return (
            f"(SELECT *, {only.n} AS _n, {_number(only.n / only.of)} AS _pi FROM {placed} AS placed "
            f"WHERE _position < '{_bound(only)}')"
        )
    rows = ", ".join(
        f"({literal(str(each.stratum))}, {each.n}, {_number(each.n / each.of)}, '{_bound(each)}')" for each in quotas
    )
    return (
        f"(WITH quota(_of, _n, _pi, _bound) AS (VALUES {rows}) "
        "SELECT placed.*, quota._n, quota._pi "
        f"FROM {placed} AS placed JOIN quota ON placed._stratum = quota._of WHERE placed._position < quota._bound)"
    )


def _bound(quota: Quota) -> str:
    """Give a threshold below which the n smallest hashes lie, but for a chance of less than 1e-21.

    The count below is binomial with mean m = n + 10 sqrt(n) + 100; by Chernoff P(count < n) <= exp(-(m - n)² / 2m),
    which is at most exp(-50) for every n.
    """
    share = (quota.n + 10 * math.sqrt(quota.n) + 100) / quota.of
    return "g" if share >= 1 else hash_threshold(share)[0]  # "g" is behind every hex digit


def _within(drawn: str, key: str, seed: int, per_cluster: int) -> str:
    """Write the second stage: the k smallest hashes in each drawn group, all of a smaller one."""
    rank = f"row_number() OVER (PARTITION BY {key} ORDER BY {_position(seed, 'within', '_unit')}, _unit)"
    count = f"count(*) OVER (PARTITION BY {key})"
    chance = (
        f"CASE WHEN _held <= {per_cluster} THEN {_number(1.0)} "
        f"ELSE {_number(float(per_cluster))} / CAST(_held AS DOUBLE PRECISION) END"
    )
    return (
        f"(SELECT *, {chance} AS _pi_within FROM (SELECT *, {rank} AS _rank_within, {count} AS _held FROM {drawn} AS "
        f"drawn) AS within WHERE _rank_within <= {per_cluster})"
    )


def _rest(source: Source, drawn: str) -> str:
    return (
        f"(SELECT *, {_number(1.0)} AS _pi, {_number(1.0)} AS _pi_within FROM {source.typed} AS typed "
        f"WHERE NOT EXISTS (SELECT 1 FROM {drawn} AS drawn WHERE drawn.{source.key} = typed.{source.key}))"
    )


def _by_size(engine: Engine, source: Source, frame: Frame, design: SampleDesign) -> Lot:
    n, of, key = lots_to_draw(design, source, frame), frame_size(source, frame), source.key
    picked = pick_by_size(engine, source, design, n)
    rows = ", ".join(f"({literal(name)}, {_number(pi)})" for name, pi in picked.items())
    drawn = (
        f"(WITH picked(_picked, _pi) AS (VALUES {rows}) SELECT typed.*, picked._pi, {_number(1.0)} AS _pi_within "
        f"FROM {source.typed} AS typed JOIN picked ON typed.{key} = picked._picked)"
    )
    n_certain = sum(pi >= 1 for pi in picked.values())
    certain = f", {n_certain} of them with certainty" if n_certain else ""
    measure = design.size if design.design == "pps" else f"the doubt of {design.score}"
    return Lot(
        drawn=drawn,
        rest=_rest(source, drawn),
        rest_order=_position(design.seed, "reserve", key),
        quotas=(Quota(stratum=None, n=n, of=of),),
        design=f"{n} of {of} {_of_what(source)} with probability proportional to {measure}{certain}",
    )


def _of_what(source: Source) -> str:
    return "groups" if source.has_group else "units"


def _sentence(source: Source, frame: Frame, design: SampleDesign, quotas: tuple[Quota, ...]) -> str:
    n, of, what = sum(each.n for each in quotas), sum(each.of for each in quotas), _of_what(source)
    whole = ", each whole" if source.has_group and design.per_cluster is None else ""
    match design.design:
        case "stratified":
            how = {"proportional": "in proportion", "neyman": "by size and spread", "equal": "equally"}
            return (
                f"stratified sample by {', '.join(design.by)}: {n} of {of} {what}{whole}, shared "
                f"{how[design.allocation]} among {len(quotas)} strata"
            )
        case "two_stage":
            return f"two-stage sample: {n} of {of} groups, then at most {design.per_cluster} units in each"
        case "cluster":
            return f"cluster sample: {n} of {of} groups{whole}"
        case _:
            return f"simple random sample: {n} of {of} {what}{whole}"
