"""Public checks for an engine that comes from outside: run `check_engine(engine, load)` in its own test suite.

The cases are tables with what they must read as, and draws with the units that `martello.stats` draws from the same
hashes; no other engine takes part. What is checked is what a user relies on: the same table gives the same units, with
the same probabilities, wherever it lies.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from martello.engines.base import Engine
from martello.errors import DataError, MartelloError, PluginError
from martello.records import Frame
from martello.sample.draw import draw_units
from martello.sample.frame import count_frame
from martello.sample.sized import doubt_sizes
from martello.sample.source import open_source
from martello.spec.schema import Field, FieldType, Output, Population, SampleDesign
from martello.stats.allocation import allocate_neyman, allocate_proportional
from martello.stats.design import Selection, draw_clusters, draw_simple, draw_stratified, draw_two_stage, hash_order
from martello.stats.pps import draw_pps

__all__ = ["Load", "check_engine"]

#: Puts a table where the engine can read it, in place of one of that name, and gives its source.
Load = Callable[[str, pa.Table], str]

_MAX, _MIN = 2**63 - 1, -(2**63)
_DAY = 1_578_182_400_000_000  # 2020-01-05, in microseconds since 1970
_HOUR = 3_600_000_000
_NEW_YEAR = datetime(2020, 1, 5, 10, 0, 0, 500_000)

#: Stored values and what they read as, by declared type; a text that stands alone reads as itself.
_READS: dict[tuple[FieldType, pa.DataType], list[tuple[Any, Any]]] = {
    ("number", pa.string()): [
        *((text, float(text)) for text in ("1", "1.", ".5", "+3", "-1e-5", "1E+05", "0.1", "1e300", "1e-300", "-0.0")),
        *((text, float(text)) for text in ("1.7976931348623157e308", "5e-324", "1e-400", "1234567.12345678901234")),
        *((text, None) for text in (None, "", "   ", "?")),
        (" 2.5\t", 2.5),
        ("3\r", 3.0),
    ],
    ("integer", pa.string()): [
        *(("42", 42), ("+7", 7), ("007", 7), ("3.0", 3), ("3.", 3), (" 5 ", 5), ("9007199254740993", 2**53 + 1)),
        *((str(_MAX), _MAX), (str(_MIN), _MIN), (None, None), ("", None), ("?", None)),
    ],
    ("boolean", pa.string()): [
        *((text, True) for text in ("true", "T", "Yes", "y", "1", " TRUE ")),
        *((text, False) for text in ("false", "F", "No", "n", "0")),
        *((None, None), ("", None), ("?", None)),
    ],
    ("time", pa.string()): [
        *(("2020-01-05", _DAY), ("2020-02-29", _DAY + 55 * 24 * _HOUR), ("1969-12-31T23:59:59.9Z", -100_000)),
        *((f"2020-01-05{rest}", _DAY + 10 * _HOUR) for rest in (" 10:00", "T10:00:00", "T10:00Z", " 11:00+01")),
        *((f"2020-01-05T{rest}", _DAY + 10 * _HOUR) for rest in ("11:30:00+0130", "00:00:00-10:00")),
        *(("2020-01-05T00:00:00.1234567", _DAY + 123_456), ("2020-01-05T00:00:00.9999999Z", _DAY + 999_999)),
        *((None, None), ("", None), ("?", None)),
    ],
    ("category", pa.string()): [
        *(
            (text, text)
            for text in ("İ", "ß", "ſ", "é", "e\u0301", "🙂", "a|b", " x ", "it's", "\\1", '"', "%", "", "NULL")
        ),
        *((None, None), ("?", None)),
    ],
    ("number", pa.float64()): [(2.5, 2.5), (math.nan, None), (math.inf, math.inf), (None, None)],
    ("integer", pa.float64()): [(3.0, 3), (-0.0, 0), (1e15, 10**15), (math.nan, None), (-9223372036854775808.0, _MIN)],
    ("category", pa.float64()): [
        (value, repr(value))
        for value in (1.0, -1.0, 0.1, 1e15, 1.5e15, 1234567890123456.8, -1e15, 1e16, 9999999999999998.0, 1e22, 1e-4)
    ]
    + [(value, repr(value)) for value in (1e-5, 123456.789, 1e300, 5e-324, 0.0, -0.0, 2 / 3, math.inf, -math.inf)],
    ("number", pa.int64()): [(7, 7.0), (None, None)],
    ("boolean", pa.int64()): [(1, True), (0, False), (None, None)],
    ("category", pa.int64()): [(_MIN, str(_MIN)), (0, "0"), (None, None)],
    ("integer", pa.bool_()): [(True, 1), (False, 0), (None, None)],
    ("category", pa.bool_()): [(True, "true"), (False, "false"), (None, None)],
    ("number", pa.decimal128(20, 3)): [
        (Decimal("0.100"), 0.1),
        (Decimal("-12345678901234567.125"), -12345678901234567.125),
    ],
    ("integer", pa.decimal128(20, 3)): [(Decimal("12345678901234567.000"), 12345678901234567), (None, None)],
    ("time", pa.date32()): [(date(2020, 1, 5), _DAY), (date(1969, 12, 31), -24 * _HOUR), (None, None)],
    ("time", pa.timestamp("us")): [(_NEW_YEAR, _DAY + 10 * _HOUR + 500_000), (None, None)],
    ("time", pa.timestamp("us", "UTC")): [(_NEW_YEAR.replace(tzinfo=UTC), _DAY + 10 * _HOUR + 500_000)],
    ("category", pa.timestamp("us")): [(_NEW_YEAR, "2020-01-05 10:00:00.5")],
    ("category", pa.date32()): [(date(2020, 1, 5), "2020-01-05")],
}
#: What does not read as a declared type, and must be refused by name.
_REFUSED: dict[tuple[FieldType, pa.DataType], list[Any]] = {
    ("number", pa.string()): ["1,5", "inf", "nan", "1_000", "1e400", "0x1F", "1d5", "e5", ".", "٣", "1 2", "1e"],
    ("integer", pa.string()): ["3.7", "1e3", str(_MAX + 1), "1_000", "three"],
    ("boolean", pa.string()): ["2", "on", "oui", "truE!"],
    ("time", pa.string()): [
        *("2021-02-29", "1900-02-29", "2020-13-01", "2020-04-31", "2020-1-5", "0000-01-01", "2020/01/05", "20200105"),
        *("2020-01-05 24:00:00", "2020-01-05 10:60", "2020-01-05T10:00:00+15:00", "infinity", "now", "yesterday"),
    ],
    ("integer", pa.float64()): [3.7, 1e300, math.inf, 9223372036854775808.0],
    ("integer", pa.decimal128(20, 3)): [Decimal("3.700")],
    ("boolean", pa.int64()): [2],
    ("number", pa.date32()): [date(2020, 1, 5)],
    ("time", pa.int64()): [0],
}
_KEYS = ("a", "A", "b", "İ", "ß", "z|", "|z", "||", "é", "🙂", "~", "a b", "'", "Z", "_", "0", "00")
_CONTENTS = [("İ", 1.5, None), ("", 1e16, 3), (None, -0.0, 3), ("İ", 1.5, None)]
#: Tables of keys and groups, and how counting them is answered.
_FRAMES: dict[str, tuple[list[str | None], list[str | None], str | None]] = {
    "twice": (["x", "y", "y", "İ"], ["g"] * 4, "sample.duplicate-key"),
    "keyless": (["x", None, "y", "z"], ["g"] * 4, "sample.missing-key"),
    "groupless": (["w", "x", "y", "z"], ["g", None, "g", "h"], "sample.missing-key"),
    "straight": (["x", "y", "İ"], ["g", "g", "h"], None),
    "turned": (["İ", "y", "x"], ["h", "g", "g"], None),
    "other": (["x", "y", "I"], ["g", "g", "h"], None),
}
_READ_ROWS = max(map(len, _READS.values()))
_N = 1200


def check_engine(opened: Callable[[], Engine], load: Load) -> None:
    """Check that an engine keeps the contract; call it from the tests of the package that brings the engine.

    Checked are: values read as the declared types, and what does not is refused; keys, their hashes and their order;
    keys that are missing or stand twice; conditions; sources and columns that are not there; and every design, whose
    units and probabilities are those that `martello.stats` draws from the same keys.

    Parameters
    ----------
    opened
        Opens the engine; called once, after all tables are loaded, and closed in the end.
    load
        Puts an Arrow table where the engine can read it and gives its source.

    Raises
    ------
    PluginError
        ``testing.engine-broken`` with the first promise that is not kept.
    """
    sources = {name: load(name, table) for name, table in _tables().items()}
    checks = (_reading_faults, _refusal_faults, _key_faults, _content_faults, _frame_faults, _draw_faults)
    with opened() as engine:
        for fault in (fault for check in checks for fault in check(engine, sources)):
            raise PluginError(
                "testing.engine-broken",
                f"{engine.name}: {fault}",
                expected="the contract of martello.engines.Engine",
                fix="see docs/sample.md, An engine of your own",
            )


def _tables() -> dict[str, pa.Table]:
    """Give every table that the checks read, by name."""
    n = _READ_ROWS
    reads = {_named(*key): pa.array([value for value, _ in (pairs * n)[:n]], key[1]) for key, pairs in _READS.items()}
    refused = {f"c{i}": pa.array([value], stored) for i, (_, stored, value) in enumerate(_refused_cases())}
    columns = [list(column) for column in zip(*_CONTENTS, strict=True)]
    types = (pa.string(), pa.float64(), pa.int64())
    return {
        "reads": pa.table({"id": pa.array(range(n))} | reads),
        "refused": pa.table(refused),
        "keys": pa.table({"one": list(_KEYS) * len(_KEYS), "two": [key for key in _KEYS for _ in _KEYS]}),
        "contents": pa.table(
            {name: pa.array(values, type_) for name, values, type_ in zip("abc", columns, types, strict=True)}
        ),
        **{name: pa.table({"k": key, "g": group}) for name, (key, group, _) in _FRAMES.items()},
        "units": _units().take(np.random.default_rng(4).permutation(_N)),
    }


def _units() -> pa.Table:
    """Give units in houses, each house of one kind, with sizes and scores."""
    rng = np.random.default_rng(3)
    house = [f"h|{i:03d}" for i in rng.integers(0, 150, _N)]
    kind = [("south", "it's", "")[int(name[2:]) % 7 % 3] for name in house]
    size = (rng.exponential(10, _N).round(3) + 0.001).tolist()
    score = rng.beta(1, 3, _N).tolist()
    return pa.table({"id": list(range(_N)), "house": house, "kind": kind, "size": size, "score": score})


def _named(declared: str, stored: pa.DataType) -> str:
    return f"{declared} of {stored}"


def _reading_faults(engine: Engine, sources: dict[str, str]) -> Iterator[str]:
    fields = tuple(Field(name=_named(*key), type=key[0]) for key in _READS)
    population = Population(source=sources["reads"], unit=("id",), missing=("?",))
    source = open_source(engine, population, fields, Output(), ())
    draw = draw_units(engine, source, _frame(), fields, Output(), (), design=SampleDesign(), n_reserve=0).units
    rows = [int(str(key)) for key in draw["unit"].to_pylist()]
    for field, pairs in zip(fields, _READS.values(), strict=True):
        for row, found in zip(rows, draw[field.column].to_pylist(), strict=True):
            value, expected = pairs[row % len(pairs)]
            seen = _micros(found) if isinstance(found, datetime) else found
            if repr(seen) != repr(expected):
                yield f"{value!r} as {field.name} reads {seen!r}, not {expected!r}"


def _micros(moment: datetime) -> int:
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _refused_cases() -> list[tuple[FieldType, pa.DataType, Any]]:
    return [(*key, value) for key, values in _REFUSED.items() for value in values]


def _refusal_faults(engine: Engine, sources: dict[str, str]) -> Iterator[str]:
    cases = _refused_cases()
    fields = tuple(Field(name=f"c{i}", type=declared) for i, (declared, _, _) in enumerate(cases))
    population = Population(source=sources["refused"])
    caught = _refusal(lambda: open_source(engine, population, fields, Output(), ()))
    named = {fault.what.split("'")[1] for fault in (caught, *caught.others)} if caught else set()
    for i, (declared, stored, value) in enumerate(cases):
        if f"c{i}" not in named:
            yield f"{value!r} is taken as {_named(declared, stored)}"
    odd = population.source
    for changed, code in (
        (Population(source=odd, where="no_such_column = 1"), "sample.bad-condition"),
        (Population(source=odd, where="1 = 0"), "data.no-rows"),
        (Population(source=odd, unit=("c",)), "data.no-such-column"),
        (Population(source=odd + "_not_there"), "data.not-found"),
    ):
        caught = _refusal(partial(open_source, engine, changed, (), Output(), ()))
        if caught is None or caught.code != code:
            yield f"{changed} is not refused as {code}, but {caught.code if caught else 'taken'}"


def _refusal(call: Callable[[], object]) -> MartelloError | None:
    try:
        call()
    except MartelloError as err:
        return err
    return None


def _frame() -> Frame:
    return Frame(parents=(), source="", fingerprint="", n_units=_READ_ROWS, n_groups=None, unit=("id",), findings=())


def _key_faults(engine: Engine, sources: dict[str, str]) -> Iterator[str]:
    """Keys of two columns: escaped, hashed as their UTF-8 bytes, and in the order of these."""
    population = Population(source=sources["keys"], unit=("one", "two"))
    source = open_source(engine, population, (), Output(), ())
    rows = engine.arrow(f"SELECT _unit, md5('7|' || _unit) AS h FROM {source.typed} AS typed ORDER BY _unit")
    wanted = sorted(
        (f"{one.replace('|', '||')}|{two.replace('|', '||')}" for one in _KEYS for two in _KEYS), key=str.encode
    )
    if rows["_unit"].to_pylist() != wanted:
        yield "keys of two columns are not written, or not ordered, by their bytes"
    if rows["h"].to_pylist() != [_md5(f"7|{key}") for key in wanted]:
        yield "md5 of a key is not that of its UTF-8 bytes"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _content_faults(engine: Engine, sources: dict[str, str]) -> Iterator[str]:
    """A unit without a key is named by its row: text, numbers, nothing."""
    source = open_source(engine, Population(source=sources["contents"]), (), Output(), ())
    found = sorted(map(str, engine.arrow(f"SELECT _unit FROM {source.typed} AS typed")["_unit"].to_pylist()))
    texts = ["\x1f".join("\x1e" if value is None else str(value) for value in row) for row in _CONTENTS]
    wanted = sorted(f"{_md5(text)[:16]}-{1 + texts[:place].count(text)}" for place, text in enumerate(texts))
    if found != wanted:
        yield f"rows without a key are named {found}, not {wanted}"


def _frame_faults(engine: Engine, sources: dict[str, str]) -> Iterator[str]:
    prints = {}
    for name, (_, _, code) in _FRAMES.items():
        population = Population(source=sources[name], unit=("k",), group=("g",))
        source = open_source(engine, population, (), Output(), ())
        try:
            prints[name] = count_frame(engine, source, population, "").fingerprint
            found = None
        except DataError as err:
            found = err.code
        if found != code:
            yield f"the table {name!r} is not answered with {code}, but {found}"
    if prints["straight"] != prints["turned"]:
        yield "the fingerprint depends on the order of rows"
    if prints["straight"] == prints["other"]:
        yield "the fingerprint is that of other keys"


def _draw_faults(engine: Engine, sources: dict[str, str]) -> Iterator[str]:
    """Every design against the statistics, over units in an order of no meaning."""
    units = _units()
    order = sorted(range(_N), key=str)  # as keys are ordered
    world = {name: [units[name][i].as_py() for i in order] for name in units.column_names}
    n_houses = len(set(world["house"]))
    for design, wanted in _designs(world, [str(i) for i in order]):
        population = Population(source=sources["units"], unit=("id",), group=("house",) if design.clusters else ())
        source = open_source(engine, population, (), Output(), (), design)
        frame = count_frame(engine, source, population, "")
        if (frame.n_units, frame.n_groups) != (_N, n_houses if design.clusters else None):
            yield f"the frame has {frame.n_units} units and {frame.n_groups} groups"
        draw = draw_units(engine, source, frame, (), Output(), (), design=design, n_reserve=20)
        chances = draw.units["inclusion_probability"].to_numpy().tolist()
        pi: dict[Any, float] = dict(zip(draw.units["unit"].to_pylist(), chances, strict=True))
        if pi.keys() != wanted.keys():
            yield f"{design.design}: {len(pi.keys() ^ wanted.keys())} units are not those of martello.stats"
        elif not np.allclose([pi[key] for key in wanted], list(wanted.values()), rtol=1e-15, atol=0):
            yield f"{design.design}: the probabilities are not those of martello.stats"
        if pi.keys() & set(draw.reserve["unit"].to_pylist()) or draw.reserve.num_rows != 20:
            yield f"{design.design}: the reserve holds drawn units, or too few"


def _designs(world: dict[str, list[Any]], keys: list[str]) -> Iterator[tuple[SampleDesign, dict[str, float]]]:
    salt = SampleDesign(seed=5)
    u = hash_order(keys, f"{salt.seed}|draw")
    houses = hash_order([name.replace("|", "||") for name in world["house"]], f"{salt.seed}|draw")
    within = hash_order(keys, f"{salt.seed}|within")
    counts = {kind: world["kind"].count(kind) for kind in sorted(set(world["kind"]))}
    spread = {kind: _spread(world, kind) for kind in counts}

    def drawn(selection: Selection) -> dict[str, float]:
        return {keys[i]: float(pi) for i, pi in zip(selection.positions.tolist(), selection.pi, strict=True)}

    def design(name: str, **more: Any) -> SampleDesign:
        return SampleDesign(seed=salt.seed, design=name, **more)  # type: ignore[arg-type]

    yield design("bernoulli", n=300), {key: 0.25 for key, place in zip(keys, u, strict=True) if place < 0.25}
    yield design("simple", n=100), drawn(draw_simple(u, 100))
    shares = allocate_proportional(counts, 100)
    yield design("stratified", n=100, by=("kind",)), drawn(draw_stratified(u, world["kind"], shares))
    shares = allocate_neyman(counts, spread, 100)
    by_spread = design("stratified", n=100, by=("kind",), allocation="neyman", spread="size")
    yield by_spread, drawn(draw_stratified(u, world["kind"], shares))
    yield design("pps", n=100, size="size"), drawn(draw_pps(u, world["size"], 100))
    doubt = doubt_sizes(np.asarray(world["score"]))
    yield design("score_weighted", n=100, score="score"), drawn(draw_pps(u, doubt, 100))
    yield design("cluster", clusters=20), drawn(draw_clusters(houses, world["house"], 20))
    yield (
        design("two_stage", clusters=40, per_cluster=3),
        drawn(draw_two_stage(houses, within, world["house"], 40, 3)),
    )


def _spread(world: dict[str, list[Any]], kind: str) -> float:
    sizes = [size for size, of in zip(world["size"], world["kind"], strict=True) if of == kind]
    return float(f"{np.std(sizes):.9g}")
