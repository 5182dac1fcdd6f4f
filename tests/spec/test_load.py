"""Reading `martello.toml`: a good file becomes a `Spec`; a bad one names every fault with file, line and path."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.errors import SpecError
from martello.spec.load import load_spec, parse_spec, spec_id, spec_json
from martello.spec.schema import Spec

GOOD = """\
[task]
name = "income"
question = "Does this person earn more than 50,000 a year?"

[population]
source = "people.parquet"
unit = ["person_id"]

[input]
occupation = { type = "category", optional = true, description = "as on the tax form" }
age = "integer"
"savings account/bonds" = "category"

[output]
column = "income"
positive = ">50K"
"""


def faults_of(text, name="martello.toml"):
    with pytest.raises(SpecError) as caught:
        parse_spec(text, name=name)
    return [caught.value, *caught.value.others]


def test_inputs_keep_the_order_and_names_of_the_file():
    fields = parse_spec(GOOD).input
    assert [field.name for field in fields] == ["occupation", "age", "savings account/bonds"]
    assert fields[0].optional
    assert fields[0].description == "as on the tax form"


@pytest.mark.parametrize("written", [GOOD, GOOD.replace("\n", "\r\n"), "# a comment\n\n" + GOOD])
def test_the_same_agreement_is_the_same_spec_however_it_is_laid_out(tmp_path, written):
    path = tmp_path / "martello.toml"
    path.write_bytes(written.encode())
    assert load_spec(path) == parse_spec(GOOD)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "martello.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert load_spec(path) == parse_spec(GOOD)


def test_all_faults_are_reported_at_once_in_file_order_each_on_its_line():
    text = GOOD.replace('name = "income"', 'named = "income"').replace('"integer"', '"integr"') + "[sample]\ndev = 20\n"
    found = [(fault.code, fault.where) for fault in faults_of(text)]
    assert found == [
        ("spec.missing-key", "martello.toml, line 1, $.task.name"),
        ("spec.unknown-key", "martello.toml, line 2, $.task.named"),
        ("spec.unknown-value", "martello.toml, line 11, $.input.age"),
        ("spec.not-a-probability", "martello.toml, line 18, $.sample.dev"),
    ]


def test_a_missing_table_has_no_line_and_comes_last():
    text = GOOD.replace("[output]", "[outputs]")
    assert [fault.where for fault in faults_of(text)] == [
        "martello.toml, line 14, $.outputs",
        "martello.toml, $.output",
    ]


def test_an_element_of_a_list_is_named_by_its_own_line():
    text = GOOD.replace('unit = ["person_id"]', 'unit = [\n  "person_id", # unit = 3\n  4,\n]')
    (fault,) = faults_of(text)
    assert fault.where == "martello.toml, line 9, $.population.unit[1]"


def test_broken_rules_carry_their_lines_too():
    text = GOOD.replace('age = "integer"', 'income = "integer"') + '[owners]\nml = "Ada"\nsecond = "Ada"\n'
    found = [(fault.code, fault.where) for fault in faults_of(text)]
    assert found == [
        ("spec.label-is-input", "martello.toml, line 11, $.input.income"),
        ("spec.second-is-first", "martello.toml, line 19, $.owners.second"),
    ]


LINES = [line for line in GOOD.splitlines() if "=" in line]


@given(st.lists(st.sampled_from(LINES), unique=True, min_size=1), st.integers(0, 3))
def test_the_line_of_a_fault_holds_the_key_of_its_path(spoiled, blank):
    text = "".join(
        (f"{line.split(' = ')[0]} = 1979-05-27" if line in spoiled else line) + "\n" * (1 + blank)
        for line in GOOD.splitlines()
    )
    faults = faults_of(text)
    assert len(faults) == len(spoiled)
    for fault in faults:
        number = int(re.search(r"line (\d+)", fault.where)[1])
        line = text.splitlines()[number - 1]
        assert line.endswith("= 1979-05-27")
        assert fault.where.endswith("." + line.split(" = ")[0])


SCALARS = st.sampled_from(["true", "-1", "0.5", "nan", "inf", "1e400", "''", '"x"', "2026-01-01", "[1]", "{}", "80"])
TABLES = st.sampled_from(["task", "population", "input", "output", "requirement", "metric.online", "sample", "x"])
NAMES = st.sampled_from(
    ["name", "kind", "source", "unit", "age", "age.type", "positive", "from", "precision", "n", "x"]
)
KEYS = st.builds("{}.{}".format, TABLES, NAMES)


@given(st.dictionaries(KEYS, SCALARS))
def test_any_dictionary_of_toml_scalars_is_a_spec_or_a_spec_error(values):
    with suppress(SpecError):
        assert isinstance(parse_spec("".join(f"{key} = {value}\n" for key, value in values.items())), Spec)


@given(st.text())
def test_any_text_is_a_spec_or_a_spec_error(text):
    with pytest.raises(SpecError):
        parse_spec(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[task]\nname = income\n", "martello.toml, line 2, column 8"),
        ("[task\n", "martello.toml, line 1, column 6"),
        ("[task]\n[task]\n", "martello.toml, line 2, column 6"),
        ('[task]\nname = """x\n', "martello.toml, line 2"),
        ("x = " + "[" * 100_000, "martello.toml"),
        ("x = " + "9" * 10_000, "martello.toml"),
    ],
)
def test_a_fault_of_syntax_names_line_and_column_where_there_is_one(text, where):
    (fault,) = faults_of(text)
    assert (fault.code, fault.where) == ("spec.syntax", where)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_spec_is_said_to_be_empty(text):
    assert faults_of(text)[0].code == "spec.empty"


@pytest.mark.parametrize(
    ("make", "code", "where"),
    [
        (lambda path: None, "spec.not-found", "martello.toml"),
        (lambda path: path.mkdir(), "spec.unreadable", "martello.toml"),
        (lambda path: path.write_bytes(b'[task]\nname = "gr\xfcn"\n'), "spec.not-utf8", "line 2"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_named_error(tmp_path, make, code, where):
    path = tmp_path / "martello.toml"
    make(path)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.code == code
    assert where in caught.value.where


def test_the_canonical_form_reads_back_as_the_same_spec():
    spec = parse_spec(GOOD)
    assert msgspec.json.decode(spec_json(spec), type=Spec) == spec


def test_the_id_follows_the_content_and_only_the_named_sections():
    spec = parse_spec(GOOD)
    owned = parse_spec(GOOD + '[owners]\nml = "Ada"\n')
    older = parse_spec(GOOD.replace("person_id", "id"))
    assert spec_id(spec) == spec_id(parse_spec(GOOD)) != spec_id(owned)
    assert spec_id(spec, "population", "input") == spec_id(owned, "input", "population")
    assert spec_id(spec, "population") != spec_id(older, "population")
    assert spec_id(spec, "input") == spec_id(older, "input")
