"""What may be declared, and how a fault in it is named."""

from __future__ import annotations

import msgspec
import pytest

from martello.errors import IntegrityError, SpecError
from martello.features.expressions import Declaration, RowFeatures, declare
from martello.features.expressions.parse import conjuncts
from martello.features.expressions.tree import Place, to_json

COLUMNS = {
    "price": ("number", True), "area": ("integer", False), "title": ("text", True), "kind": ("category", False),
    "opened": ("time", True), "paid": ("boolean", False), "tags": ("list[text]", False),
}  # fmt: skip


def fault(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        declare({"f": text}, COLUMNS)
    return caught.value


@pytest.mark.parametrize(
    ("text", "code", "where", "fix"),
    [
        ("price +", "features.expression-syntax", "line 1, column 7", ""),
        ("price area", "features.expression-not-offered", "line 1", ""),
        ("'open", "features.expression-syntax", "", ""),
        ("", "features.expression-syntax", "", ""),
        ("price; area", "features.expression-syntax", "", ""),
        ("lengthy(title)", "features.unknown-function", "line 1, column 1", "length"),
        ("eq(price, area)", "features.unknown-function", "line 1, column 1", ""),
        ("area\n + prise", "features.unknown-name", "line 2, column 4", "price"),
        ("price + title", "features.wrong-argument", "line 1, column 1", ""),
        ("now - opened", "features.wrong-argument", "line 1, column 1", ""),
        ("if(price, 1, 2)", "features.wrong-argument", "column 4", ""),
        ("case when paid then 1 else 'x' end", "features.wrong-argument", "column 11", ""),
        ("price = null", "features.wrong-argument", "", ""),
        ("null", "features.wrong-argument", "", ""),
        ("substr(title, area)", "features.wrong-argument", "", ""),
        ("substr(title, 0)", "features.wrong-argument", "", ""),
        ("kind in (title)", "features.wrong-argument", "", ""),
        ("99999999999999999999", "features.wrong-argument", "", ""),
        ("at('2024-02-30')", "features.wrong-argument", "", ""),
        ("hour(opened, 'Europe/Berln')", "features.unknown-zone", "column 14", "'Europe/Berlin'"),
        ("cast(price as integer)", "features.expression-not-offered", "", ""),
        ("(select 1)", "features.expression-not-offered", "", ""),
        ("count(*)", "features.expression-not-offered", "", ""),
        ("sum(price) over ()", "features.expression-not-offered", "", ""),
        ("t.price", "features.expression-not-offered", "", ""),
        ("length(distinct title)", "features.expression-not-offered", "", ""),
        ("price is true", "features.expression-not-offered", "", ""),
        ("1e999", "features.expression-not-offered", "", ""),
        ("title || " * 2000 + "title", "features.expression-too-long", "", ""),
        ("(" * 3000 + "1" + ")" * 3000, "features.expression-too-deep", "", ""),
        ("-" * 100 + "price", "features.expression-syntax", "", ""),
        (" + ".join(["price"] * 100), "features.expression-too-deep", "", ""),
        ("(area between 1 and 2) between paid and true", "features.expression-too-deep", "", ""),
        (
            "(case (case area when 1 then 2 end) when 2 then 3 end) between 1 and 2",
            "features.expression-too-deep",
            "",
            "",
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_the_nearest_name(text, code, where, fix):
    found = fault(text)
    assert found.code == code
    assert found.where.startswith("feature f")
    assert where in found.where
    assert fix in found.fix


def test_all_features_are_looked_at_before_anything_is_said():
    with pytest.raises(SpecError) as caught:
        declare({"a": "prise", "b": "a + 1", "c": "foo(1)", "d": "price"}, COLUMNS)
    assert [each.code for each in (caught.value, *caught.value.others)] == [
        "features.unknown-name",
        "features.unknown-function",
    ]


def test_a_circle_is_refused_with_its_path():
    with pytest.raises(SpecError, match="a → b → c → a") as caught:
        declare({"d": "a", "a": "b + 1", "b": "c + 1", "c": "a + 1"}, COLUMNS)
    assert caught.value.code == "features.cycle"
    with pytest.raises(SpecError, match="self → self"):
        declare({"self": "self + 1"}, COLUMNS)


@pytest.mark.parametrize("name", ["price", "now"])
def test_a_name_means_one_thing(name):
    with pytest.raises(SpecError) as caught:
        declare({name: "1"}, COLUMNS)
    assert caught.value.code == "features.name-taken"


def test_features_use_features_in_any_order_of_writing():
    declared = declare({"high": "per > 10", "per": "price / area"}, COLUMNS)
    assert [each.name for each in declared.features] == ["per", "high"]
    assert [each.name for each in declared.inputs] == ["price", "area"]
    assert RowFeatures(declared).row({"price": 30.0, "area": 2}) == {"per": 15.0, "high": True}


@pytest.mark.parametrize(
    ("text", "kind", "optional"),
    [
        ("area + 1", "number", True),
        ("length(kind)", "integer", False),
        ("lower(kind)", "category", False),
        ("lower(title)", "text", True),
        ("kind || title", "text", True),
        ("case when price > 1 then 'a' else 'b' end", "category", False),
        ("case when paid then 1 end", "integer", True),
        ("coalesce(price, area)", "number", False),
        ("coalesce(price, 1)", "number", False),
        ("price is null", "boolean", False),
        ("list_item(tags, 1)", "text", True),
        ("words(kind)", "list[text]", False),
        ("trigram_sim(kind, tags)", "number", True),
        ("day_start(now, 'UTC')", "time", True),
        ("at('2024-02-29T12:00:00+02:00')", "time", False),
    ],
)
def test_types_and_nulls_are_known_beforehand(text, kind, optional):
    feature = declare({"f": text}, COLUMNS).features[0]
    assert (feature.type, feature.optional) == (kind, optional)


def test_the_definition_changes_with_what_is_computed_and_with_nothing_else():
    one = declare({"f": "price / area"}, COLUMNS)
    assert declare({"f": " price  /  (area) -- per square meter"}, COLUMNS).definition == one.definition
    assert declare({"f": "price / area"}, {**COLUMNS, "more": ("text", True)}).definition == one.definition
    assert declare({"f": "area / price"}, COLUMNS).definition != one.definition
    assert declare({"f": "price / area"}, {**COLUMNS, "area": ("number", False)}).definition != one.definition


def test_a_declaration_comes_back_from_its_json():
    declared = declare({"f": "case kind when 'ä' then -1 else length(coalesce(title, '')) end"}, COLUMNS)
    assert Declaration.load(declared.dump()) == declared


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: b"{}",
        lambda stored: stored[:-1],
        lambda stored: stored.replace(b'"add"', b'"__import__"'),
        lambda stored: stored.replace(b'["column","price"]', b'["column","__builtins__"]'),
        lambda stored: stored.replace(b'["column","price"]', b'["column",["price"]]'),
        lambda stored: stored.replace(b'["column","price"]', b'["value",{"a":1}]'),
        lambda stored: stored.replace(b'["column","price"]', b"[]"),
        lambda stored: stored.replace(b'["column","price"]', b"5"),
        lambda stored: stored.replace(b'["column","price"]', b"[" * 200 + b"]" * 200),
        lambda stored: stored.replace(
            b'"type":"number","optional":true,"tree"', b'"type":"text","optional":true,"tree"'
        ),
        lambda stored: stored.replace(b'["value",1.0]', b'["value","os"]'),
        lambda stored: stored.replace(b'["value",1.0]', b'["call","text_sim@1",["value","os"]]'),
    ],
)
def test_a_stored_tree_that_was_tampered_with_is_refused_and_not_run(change):
    stored = change(declare({"f": "price + 1"}, COLUMNS).dump())
    with pytest.raises((IntegrityError, SpecError, ImportError)) as caught:
        RowFeatures(Declaration.load(stored), {})
    assert caught.value.code.startswith("features.")


def test_any_bytes_of_json_are_refused_or_read():
    tree: list = ["column", "price"]
    for _ in range(59):
        tree = ["neg", tree]
    declared = declare({"f": "price"}, COLUMNS)
    deep = msgspec.structs.replace(declared, features=(msgspec.structs.replace(declared.features[0], tree=tree),))
    assert RowFeatures(deep).row({"price": 2.0}) == {"f": -2.0}


def test_conditions_on_events_are_taken_apart():
    conditions, bound = conjuncts("kind = 'open' and :file = file_id and price > 2", Place("last"))
    assert bound == {"file_id": "file"}
    assert [to_json(each) for each in conditions] == [
        ["eq", ["column", "kind"], ["value", "open"]],
        ["gt", ["column", "price"], ["value", 2]],
    ]
    with pytest.raises(SpecError, match="no part of the expression language"):
        conjuncts("file_id = :file or kind = 'open'", Place("last"))
