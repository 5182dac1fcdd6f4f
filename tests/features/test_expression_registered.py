"""Python functions of a team: types from annotations, a version in the definition, faults that are named."""

from __future__ import annotations

import pytest

from martello.errors import PluginError
from martello.features.expressions import (
    Declaration,
    Function,
    RowFeatures,
    Time,
    declare,
    function,
    installed_functions,
)
from martello.features.expressions import registered as module

COLUMNS = {"title": ("text", True), "recent": ("list[text]", False), "n": ("integer", False), "opened": ("time", False)}


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(module, "_registered", {})


def share(title: str, recent: list[str]) -> float | None:
    return recent.count(title) / len(recent) if recent else None


def test_a_registered_function_is_used_like_any_other():
    function("text_share", version=3)(share)
    declared = declare({"f": "coalesce(text_share(title, recent), 0) + 1"}, COLUMNS)
    assert declared.functions == ("text_share@3",)
    row = {"title": "a", "recent": ["a", "b"]}
    closure = RowFeatures(Declaration.load(declared.dump()))
    assert closure.row(row) == {"f": 1.5}
    assert closure.row({**row, "recent": []}) == closure.row({**row, "title": None}) == {"f": 1.0}


def test_another_version_is_another_definition_and_is_not_taken_for_the_declared_one():
    one = {"text_share": Function("text_share", 1, ("text", "list[text]"), "number", share)}
    two = {"text_share": Function("text_share", 2, ("text", "list[text]"), "number", share)}
    text = {"f": "text_share(title, recent)"}
    declared = declare(text, COLUMNS, one)
    assert declared.definition != declare(text, COLUMNS, two).definition
    for installed in (two, {}):
        with pytest.raises(PluginError) as caught:
            RowFeatures(declared, installed)
        assert caught.value.code == "features.function-missing"


def test_whole_numbers_and_times_are_handed_over_as_declared():
    @function("kind_of", version=1)
    def kind_of(x: float, t: Time) -> str:
        return f"{type(x).__name__} {t}"

    assert RowFeatures(declare({"f": "kind_of(n, opened)"}, COLUMNS)).row({"n": 2, "opened": 7}) == {"f": "float 7"}


@pytest.mark.parametrize(
    "result", [float("nan"), float("inf"), 1, "1", True, [1.0]], ids=["nan", "infinity", "int", "str", "bool", "list"]
)
def test_a_result_of_another_type_is_a_named_fault(result):
    def broken(n: int) -> float:
        return result

    function("broken", version=1)(broken)
    closure = RowFeatures(declare({"f": "broken(n)"}, COLUMNS))
    with pytest.raises(PluginError, match="broken@1 gave") as caught:
        closure.row({"n": 1})
    assert caught.value.code == "features.function-broke"


def test_what_it_raises_is_named_with_its_cause():
    def broken(n: int) -> float:
        return 1 / (n - n)

    function("broken", version=1)(broken)
    with pytest.raises(PluginError, match="ZeroDivisionError") as caught:
        RowFeatures(declare({"f": "broken(n)"}, COLUMNS)).row({"n": 1})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("name", ["lower", "coalesce", "Upper", "a-b", "", "taken", "and"])
def test_a_name_may_be_taken_once(name):
    function("taken", version=1)(share)
    function("taken", version=1)(share)  # the same module imported again
    with pytest.raises(PluginError) as caught:
        function(name, version=2)(share)
    assert caught.value.code == "features.function-taken"


def test_annotations_must_say_the_types():
    def untyped(a, b: str) -> float:
        return 0.0

    def odd(a: dict) -> float:
        return 0.0

    def nothing() -> float:
        return 0.0

    for each in (untyped, odd, nothing):
        with pytest.raises(PluginError) as caught:
            function("f", version=1)(each)
        assert caught.value.code == "features.function-types"


def test_an_installed_package_registers_by_entry_point(monkeypatch):
    class Entry:
        name = "from_a_package"

        def load(self):
            function("from_a_package", version=1)(share)

    monkeypatch.setattr(
        module, "entry_points", lambda group: [Entry()] if group == "martello.features.functions" else []
    )
    assert installed_functions()["from_a_package"].version == 1
    assert declare({"f": "from_a_package(title, recent)"}, COLUMNS).features[0].type == "number"
