"""A first spec from a file: what is guessed, what is left out and said, and which files are refused by name."""

from __future__ import annotations

import csv
import datetime
import random
import tomllib
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from martello.errors import DataError, MartelloError, SpecError
from martello.spec.draft import draft_spec
from martello.spec.lint import lint
from martello.spec.load import parse_spec

DATA = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
N = 120
RANDOM = random.Random(7)
LABEL = ["yes" if RANDOM.random() < 0.3 else "no" for _ in range(N)]
NOISE = [str(RANDOM.randrange(40)) for _ in range(N)]


def write_csv(path, columns):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def draft_of(tmp_path, columns, **settings):
    """Draft from a CSV file of the columns, beside an answer `y` and an input `noise`."""
    columns = {"noise": NOISE, **columns, "y": LABEL}
    text = draft_spec(write_csv(tmp_path / "people.csv", columns), label="y", **settings)
    return parse_spec(text), text


def draft_of_parquet(tmp_path, columns):
    path = tmp_path / "people.parquet"
    pq.write_table(pa.table({"noise": list(map(int, NOISE)), **columns, "y": LABEL}), path)
    text = draft_spec(path, label="y")
    return parse_spec(text), text


def types_of(spec):
    return {field.name: field.type + ("?" if field.optional else "") for field in spec.input}


def left_out(text):
    """Give what the comments say was left out: name → reason."""
    lines = text.partition("# Left out:\n")[2].partition("\n\n")[0].splitlines()
    return {tomllib.loads("x = " + line[4 : line.index('": ') + 1])["x"]: line.split('": ', 1)[1] for line in lines}


def cycle(*values):
    return [values[i % len(values)] for i in range(N)]


# --- types


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (cycle("1", "-20", "+3"), "integer"),
        (cycle("1", "", "3"), "integer?"),
        (cycle("1.5", "2", "1e3"), "number"),
        (cycle("1.5", "?", " "), "number?"),
        (cycle("1", "N/A", "2"), "integer?"),
        (cycle("02134", "90210", "10001"), "category"),
        (cycle("red", "blue", "?"), "category?"),
        (cycle("1", "2", "many"), "category"),
        (cycle("true", "False", "TRUE"), "boolean"),
        (cycle("yes", "no", "no"), "category"),
        (cycle("Bank transfer (automatic) or by hand", "Mailed check", "Card"), "category"),
        ([f"word {i} of a sentence like {i * 7}" for i in range(N)], "text"),
        ([f"2026-01-{1 + i % 28:02}T10:00:00Z" if i % 9 else "" for i in range(N)], "time?"),
    ],
)
def test_the_type_of_a_text_column_is_what_all_its_values_look_like(tmp_path, values, type_):
    spec, _ = draft_of(tmp_path, {"x": values})
    assert types_of(spec)["x"] == type_


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (pa.array([i % 7 for i in range(N)], pa.int16()), "integer"),
        (pa.array([i % 7 / 2 if i % 5 else None for i in range(N)]), "number?"),
        (pa.array([i % 7 / 2 if i % 5 else float("nan") for i in range(N)]), "number?"),
        (pa.array([i % 3 == 0 for i in range(N)]), "boolean"),
        (pa.array([str(i % 7) for i in range(N)]), "category"),
        (pa.array([str(i % 7) if i % 5 else "?" for i in range(N)]), "integer?"),
        (pa.array([f"c{i % 7}" for i in range(N)]).dictionary_encode(), "category"),
        (pa.array([None, *[datetime.datetime(2026, 1, 1 + i % 28) for i in range(N - 1)]]), "time?"),
    ],
)
def test_the_types_of_a_parquet_file_are_kept(tmp_path, values, type_):
    spec, _ = draft_of_parquet(tmp_path, {"x": values})
    assert types_of(spec)["x"] == type_


def test_texts_that_mean_no_value_are_declared_exactly_as_they_are_written(tmp_path):
    spec, text = draft_of(tmp_path, {"a": cycle("1", " ?", "3"), "b": cycle("red", "blue", "NA")})
    assert spec.population.missing == (" ?", "?", "NA")
    assert '# missing: texts that look like "no value", found in "a", "b".' in text


def test_unknown_is_an_answer_not_a_gap(tmp_path):
    spec, _ = draft_of(tmp_path, {"x": cycle("None", "unknown", "red")})
    assert (types_of(spec)["x"], spec.population.missing) == ("category", ())


# --- roles


@pytest.mark.parametrize("name", ["id", "person_id", "CustomerID", "customerid", "Order Key", "uuid"])
def test_a_column_without_repeats_that_reads_like_a_key_names_the_unit(tmp_path, name):
    spec, _ = draft_of(tmp_path, {name: RANDOM.sample(range(1000), N)})
    assert (spec.population.unit, types_of(spec)) == ((name,), {"noise": "integer"})


def test_a_running_number_names_the_unit_even_without_a_telling_name(tmp_path):
    assert draft_of(tmp_path, {"Unnamed: 0": range(N)})[0].population.unit == ("Unnamed: 0",)


@pytest.mark.parametrize(
    "column",
    [
        {"amount": RANDOM.sample(range(1000), N)},  # no telling name, and not running
        {"id": [i + 0.5 for i in range(N)]},  # a float is no key
        {"id": [i // 2 for i in range(N)]},  # repeats
        {"id": ["", *range(1, N)]},  # a gap
    ],
)
def test_what_is_not_a_key_names_no_unit(tmp_path, column):
    spec, text = draft_of(tmp_path, column)
    assert spec.population.unit == ()
    assert "# unit: no column was found" in text


def test_a_key_that_repeats_ties_units_together(tmp_path):
    spec, text = draft_of(tmp_path, {"household_id": [f"h{RANDOM.randrange(30)}" for _ in range(N)]})
    assert (spec.population.group, types_of(spec)) == (("household_id",), {"noise": "integer"})
    assert '# group: "household_id" was guessed: the name reads like a key' in text


def test_a_time_in_every_row_orders_the_units(tmp_path):
    days = [f"2026-01-{1 + i % 28:02} 10:00" for i in range(N)]
    spec, _ = draft_of(tmp_path, {"closed_at": days[::-1], "seen": days})
    assert spec.population.time == "seen"
    assert "closed_at" not in types_of(spec)  # without seconds it is no input either


def test_a_counter_whose_name_reads_like_an_order_is_the_time(tmp_path):
    assert draft_of(tmp_path, {"row_order": range(N)})[0].population.time == "row_order"
    assert draft_of(tmp_path, {"row_order": RANDOM.sample(range(N), N)})[0].population.time is None
    assert draft_of(tmp_path, {"tenure": range(N)})[0].population.time is None


# --- what is left out, and what is suspected


def test_columns_that_cannot_help_are_left_out_and_the_reason_is_said(tmp_path):
    words = [f"w{i}" for i in range(N)]
    _, text = draft_of(
        tmp_path,
        {
            "constant": ["x"] * N,
            "empty": [""] * N,
            "name": [f"{RANDOM.choice(words)} {i}" for i in range(N)],
            "noise again": NOISE,
            "answer": ["ja" if answer == "yes" else "nee" for answer in LABEL],
            "cancel reason": ["price" if answer == "yes" else "" for answer in LABEL],
            "split": cycle("train", "test"),
        },
    )
    assert left_out(text) == {
        "constant": "it has the same value in every row",
        "empty": "it has no value at all",
        "name": "every value is another one, as with names or codes",
        "noise again": "it is an exact copy of noise",
        "answer": "it gives the answer away: each of its values goes with one answer only",
        "cancel reason": "it gives the answer away: each of its values goes with one answer only",
        "split": "it says how someone divided the rows before; a new unit has no such value",
    }


def test_columns_with_the_same_values_in_another_order_are_no_copies(tmp_path):
    spec, _ = draft_of(tmp_path, {"turned": [NOISE[-1], *NOISE[:-1]]})
    assert set(types_of(spec)) == {"noise", "turned"}


def test_a_good_predictor_does_not_give_the_answer_away(tmp_path):
    nearly = ["ja" if answer == "yes" else "nee" for answer in LABEL]
    nearly[0], nearly[1] = "ja", "nee"
    assert "nearly" in types_of(draft_of(tmp_path, {"nearly": nearly, "z": cycle("1", "2")})[0])


def test_nested_values_are_left_out(tmp_path):
    spec, text = draft_of_parquet(tmp_path, {"tags": [[i] for i in range(N)]})
    assert left_out(text) == {"tags": "its values are not numbers, texts, booleans or times"}
    assert types_of(spec) == {"noise": "integer"}


def test_short_texts_that_never_repeat_are_the_input_when_they_are_all_there_is(tmp_path):
    path = write_csv(tmp_path / "names.csv", {"name": [f"w{i}" for i in range(N)], "y": LABEL})
    assert types_of(parse_spec(draft_spec(path, label="y"))) == {"name": "text"}


def test_a_column_that_looks_known_afterwards_stays_and_is_asked_about(tmp_path):
    spec, text = draft_of(tmp_path, {"duration": [RANDOM.randrange(9) for _ in range(N)]})
    assert types_of(spec)["duration"] == "integer"
    asked = '# "duration" looks like a leak: is it known before the decision?'
    above = text.splitlines()[text.splitlines().index('duration = "integer"') - 1]
    assert above.startswith(asked)


# --- the answer


@pytest.mark.parametrize(
    ("values", "positive"),
    [(("yes", "no", "no"), "yes"), (("1", "1", "0"), "1"), (("TRUE", "FALSE"), "TRUE"), (("2", "1", "1"), "2")],
)
def test_the_positive_answer_is_the_one_that_reads_as_yes_or_the_rarer(tmp_path, values, positive):
    path = write_csv(tmp_path / "x.csv", {"noise": NOISE, "answer": cycle(*values)})
    spec = parse_spec(draft_spec(path, label="answer"))
    assert (spec.task.kind, spec.output.positive) == ("binary", positive)


def test_a_given_positive_answer_is_kept(tmp_path):
    assert draft_of(tmp_path, {}, positive="no")[0].output.positive == "no"


def test_three_answers_make_a_multiclass_task_without_a_positive_one(tmp_path):
    path = write_csv(tmp_path / "x.csv", {"noise": NOISE, "colour": cycle("red", "blue", "green")})
    spec = parse_spec(draft_spec(path, label="colour"))
    assert (spec.task.kind, spec.output.positive) == ("multiclass", None)


def test_rows_without_an_answer_are_counted(tmp_path):
    path = write_csv(tmp_path / "x.csv", {"noise": NOISE, "answer": cycle("a", "b", "")})
    text = draft_spec(path, label="answer")
    assert parse_spec(text).task.kind == "binary"
    assert "40 rows have no answer" in text


def test_a_floor_that_every_row_already_reaches_is_pointed_out(tmp_path):
    path = write_csv(tmp_path / "x.csv", {"noise": NOISE, "answer": ["1"] * (N - 12) + ["0"] * 12})
    draft = draft_spec(path, label="answer")
    assert "right in 90% of them" in draft
    assert "precision = 0.95" in draft


@pytest.mark.parametrize(
    ("given_name", "name"),
    [("Will it churn?", "will_it_churn"), ("7 days", "days"), ("Ünïcode", "unicode"), ("数", "task"), ("y", "people")],
)
def test_the_name_of_the_task_is_one_a_spec_accepts(tmp_path, given_name, name):
    assert draft_of(tmp_path, {}, name=given_name)[0].task.name == name


def test_the_source_is_written_as_the_spec_will_see_it(tmp_path):
    assert draft_of(tmp_path, {}, source="../people.csv")[0].population.source == "../people.csv"
    assert draft_of(tmp_path, {})[0].population.source == (tmp_path / "people.csv").as_posix()


# --- strange but lawful files


def test_any_column_names_give_a_draft_that_loads(tmp_path):
    names = [
        "a b",
        'say "x"',
        "back\\slash",
        "tab\there",
        "new\nline",
        "é",
        "a.b",
        "#",
        "[x]",
        "c" * 201,
        "'",
        "=",
        "数",
    ]
    spec, _ = draft_of_parquet(tmp_path, {name: [RANDOM.randrange(9) for _ in range(N)] for name in names})
    assert set(types_of(spec)) == {"noise", *names} - {"c" * 201}


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=6),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["?", " ", "2026-01-01", "true", "1_0", "0x1"]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["a", "b", "id", "order", "time"]), st.lists(CELLS, min_size=1), max_size=3))
def test_any_cells_give_a_draft_that_loads_or_a_named_error(tmp_path, columns):
    # A cell may spoil the CSV dialect; whatever else is in it, the draft loads.
    with suppress(DataError):
        draft_of(tmp_path, {name: cycle(*cells) for name, cells in columns.items()})


def test_a_glob_is_one_source(tmp_path):
    for part in (0, 1):
        write_csv(tmp_path / f"part{part}.csv", {"noise": NOISE[part::2], "y": LABEL[part::2]})
    text = draft_spec(tmp_path / "part*.csv", label="y")
    assert f"{N} rows" in text
    assert parse_spec(text).population.source.endswith("/part*.csv")


def test_two_drafts_of_one_file_are_the_same_text(tmp_path):
    path = DATA / "telco_churn.parquet"
    assert draft_spec(path, label="churn") == draft_spec(path, label="churn")


# --- refusals


def refusal(path, *, label="y", **settings):
    with pytest.raises(MartelloError) as caught:
        draft_spec(path, label=label, **settings)
    return caught.value


def test_an_absent_label_is_named_with_the_nearest_column(tmp_path):
    path = write_csv(tmp_path / "x.csv", {"noise": NOISE, "churned": LABEL})
    error = refusal(path, label="churn")
    assert isinstance(error, DataError)
    assert (error.code, error.fix) == ("spec.no-such-column", "--label churned")


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (["yes"] * N, "spec.one-class"),
        (["yes"] * 60 + [""] * 60, "spec.one-class"),
        ([""] * N, "spec.too-few-rows"),
        (range(N), "spec.label-not-classes"),
        ([f"w{i // 2}" for i in range(N)], "spec.label-not-classes"),
        ([i % 60 + 0.5 for i in range(N)], "spec.label-not-classes"),
    ],
)
def test_a_column_that_is_no_answer_is_refused_by_name(tmp_path, labels, code):
    error = refusal(write_csv(tmp_path / "x.csv", {"noise": NOISE, "y": labels}))
    assert isinstance(error, DataError)
    assert error.code == code


def test_three_rows_are_too_few(tmp_path):
    assert refusal(write_csv(tmp_path / "x.csv", {"a": "123", "y": "101"})).code == "spec.too-few-rows"


def test_a_positive_answer_that_never_occurs_is_refused_with_the_nearest(tmp_path):
    path = write_csv(tmp_path / "x.csv", {"noise": NOISE, "y": LABEL})
    error = refusal(path, positive="NO")
    assert (error.code, error.fix) == ("spec.no-such-answer", '--positive "no"')


def test_a_positive_answer_among_three_is_refused(tmp_path):
    path = write_csv(tmp_path / "x.csv", {"noise": NOISE, "y": cycle("a", "b", "c")})
    error = refusal(path, positive="a")
    assert isinstance(error, SpecError)
    assert error.code == "spec.positive-not-binary"


def test_a_file_with_the_answer_alone_has_nothing_to_learn_from(tmp_path):
    path = write_csv(tmp_path / "x.csv", {"constant": ["x"] * N, "y": LABEL})
    assert refusal(path).code == "spec.nothing-to-learn-from"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("none.csv", None, "data.not-found"),
        ("empty.csv", b"", "data.empty"),
        ("x.csv", "noise,y\n1,gr\xfcn\n".encode("latin-1"), "data.not-utf8"),
        ("x.parquet", b"PAR1 and no more", "data.unreadable"),
        ("x.xlsx", b"PK", "data.unknown-format"),
        ("header.csv", b"noise,y\n", "spec.too-few-rows"),
    ],
)
def test_a_file_that_cannot_be_drafted_from_is_a_named_data_error(tmp_path, name, content, code):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    error = refusal(path)
    assert isinstance(error, DataError)
    assert error.code == code


# --- real sets


REAL = [
    pytest.param(DATA / "telco_churn.parquet", "churn", "Yes", id="telco_churn"),
    pytest.param(DATA / "german_credit.parquet", "credit_risk", "2", id="german_credit"),
    *(
        pytest.param(
            SHARED / name / f"{name}.parquet",
            label,
            positive,
            id=f"shared-{name}",
            marks=[
                pytest.mark.shared_data,
                pytest.mark.skipif(not (SHARED / name).exists(), reason=f"{name} is not in the repository"),
            ],
        )
        for name, label, positive in [
            ("adult", "income", ">50K"),
            ("bank_marketing", "y", "yes"),
            ("banking77", "category", None),
            ("sms_spam", "label", "spam"),
            ("womens_clothing_reviews", "Recommended IND", "1"),
            ("yrbss_gender_height", "gender", "female"),
        ]
    ),
]


@pytest.mark.parametrize(("file", "label", "positive"), REAL)
def test_a_real_set_gives_a_sound_spec_and_the_positive_answer_is_guessed(file, label, positive):
    spec = parse_spec(draft_spec(file, label=label))
    assert lint(spec) == ()
    assert (spec.output.column, spec.output.positive) == (label, positive)
    assert spec.input


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.exists(), reason="bank_marketing and others are not in the repository")
def test_the_known_traps_of_the_real_sets_are_seen():
    bank = draft_spec(SHARED / "bank_marketing" / "bank_marketing.parquet", label="y")
    assert '# "duration" looks like a leak' in bank
    assert parse_spec(bank).population.time == "row_order"
    reviews = draft_spec(
        SHARED / "womens_clothing_reviews" / "womens_clothing_reviews.parquet", label="Recommended IND"
    )
    assert '# "Rating" looks like a leak' in reviews
    types = types_of(parse_spec(reviews))
    assert (types["Review Text"], types["Class Name"], types["Rating"]) == ("text?", "category?", "integer")
    adult = parse_spec(draft_spec(SHARED / "adult" / "adult.parquet", label="income"))
    assert adult.population.missing == ("?",)
    assert {name for name, type_ in types_of(adult).items() if type_ == "category?"} == {
        "workclass",
        "occupation",
        "native-country",
    }
    assert "split" in left_out(draft_spec(SHARED / "banking77" / "banking77.parquet", label="category"))
