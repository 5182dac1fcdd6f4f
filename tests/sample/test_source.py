from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.sample.source import Source, open_source
from martello.spec.schema import Field, Output, Population


def opened(
    directory: Path, population: Population, *fields: Field, label: str | None = None
) -> tuple[DuckDBEngine, Source]:
    engine = DuckDBEngine(directory)
    return engine, open_source(engine, population, fields, Output(column=label), ())


def write_csv(directory: Path, text: str | bytes, name: str = "people.csv") -> None:
    (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def rows(directory: Path, population: Population, *fields: Field) -> list[dict[str, object]]:
    engine, source = opened(directory, population, *fields)
    names = ", ".join(f'"{field.name}"' for field in fields)
    return engine.arrow(f"SELECT _unit, _group, _time, {names} FROM {source.typed} ORDER BY _unit").to_pylist()


def test_csv_values_are_cast_by_the_declared_type_and_markers_become_null(tmp_path: Path) -> None:
    write_csv(tmp_path, 'id,age,pay,job\n1, 34 ,"1.5",clerk\n2,?,,?\n')
    fields = (Field(name="age", type="integer"), Field(name="pay", type="number"), Field(name="job", type="category"))
    found = rows(tmp_path, Population(source="people.csv", unit=("id",), missing=("?",)), *fields)
    assert [(row["age"], row["pay"], row["job"]) for row in found] == [(34, 1.5, "clerk"), (None, None, None)]


def test_a_fraction_is_not_rounded_to_an_integer(tmp_path: Path) -> None:
    write_csv(tmp_path, "id,age\n1,34\n2,3.7\n")
    with pytest.raises(DataError) as caught:
        opened(tmp_path, Population(source="people.csv", unit=("id",)), Field(name="age", type="integer"))
    assert caught.value.code == "data.wrong-type"
    assert "3.7" in caught.value.where
    assert "1 of 2" in caught.value.what


def test_every_column_of_a_wrong_type_is_named_at_once(tmp_path: Path) -> None:
    write_csv(tmp_path, "id,age,pay\n1,old,much\n2,30,5\n")
    fields = (Field(name="age", type="integer"), Field(name="pay", type="number"))
    with pytest.raises(DataError) as caught:
        opened(tmp_path, Population(source="people.csv", unit=("id",)), *fields)
    assert "'age'" in caught.value.what
    assert ["'pay'" in other.what for other in caught.value.others] == [True]


def test_rows_outside_the_population_are_not_held_to_the_types(tmp_path: Path) -> None:
    write_csv(tmp_path, "id,age,country\n1,30,fr\n2,old,de\n")
    population = Population(source="people.csv", unit=("id",), where="country = 'fr'")
    found = rows(tmp_path, population, Field(name="age", type="integer"))
    assert [row["age"] for row in found] == [30]


def test_nan_in_parquet_is_missing_and_infinity_is_kept_for_the_reader_to_refuse(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "pay": [float("nan"), float("inf")]}), tmp_path / "people.parquet")
    found = rows(tmp_path, Population(source="people.parquet", unit=("id",)), Field(name="pay", type="number"))
    assert [row["pay"] for row in found] == [None, float("inf")]


def test_two_key_columns_never_run_together(tmp_path: Path) -> None:
    write_csv(tmp_path, 'a,b,age\n"x|y",z,1\nx,"y|z",2\n')
    found = rows(tmp_path, Population(source="people.csv", unit=("a", "b")), Field(name="age", type="integer"))
    assert len({row["_unit"] for row in found}) == 2


def test_a_key_from_content_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    write_csv(tmp_path, "age\n1\n2\n2\n3\n", "a.csv")
    write_csv(tmp_path, "age\n2\n3\n1\n2\n", "b.csv")
    keys = [
        [row["_unit"] for row in rows(tmp_path, Population(source=name), Field(name="age", type="integer"))]
        for name in ("a.csv", "b.csv")
    ]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 4


def test_times_are_microseconds_of_utc(tmp_path: Path) -> None:
    write_csv(tmp_path, "id,age,at\n1,1,1970-01-01T01:00:00+01:00\n2,2,1970-01-01T00:00:01Z\n")
    found = rows(tmp_path, Population(source="people.csv", unit=("id",), time="at"), Field(name="age", type="integer"))
    assert [row["_time"] for row in found] == [0, 1_000_000]


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    write_csv(tmp_path, "id,age\n1,2\n")
    with pytest.raises(DataError) as caught:
        opened(
            tmp_path, Population(source="people.csv", unit=("id",)), Field(name="agee", type="integer"), label="incme"
        )
    assert caught.value.code == "data.no-such-column"
    assert "'age'" in caught.value.fix
    assert [other.where for other in caught.value.others] == ["people.csv, named by output.column"]


def test_a_float_cannot_name_a_unit(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1.0, 2.0], "age": [1, 2]}), tmp_path / "people.parquet")
    with pytest.raises(DataError) as caught:
        opened(tmp_path, Population(source="people.parquet", unit=("id",)), Field(name="age", type="integer"))
    assert caught.value.code == "data.float-key"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "data.empty"),
        (b"id,age\n", "data.no-rows"),
        (b"id,age,name\n1,2,Ren\xe9e\n", "data.not-utf8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, code: str) -> None:
    write_csv(tmp_path, content)
    with pytest.raises(DataError) as caught:
        opened(tmp_path, Population(source="people.csv", unit=("id",)), Field(name="age", type="integer"))
    assert caught.value.code == code


def test_a_file_that_is_not_there_says_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        opened(tmp_path, Population(source="nobody.csv"), Field(name="age", type="integer"))
    assert caught.value.code == "data.not-found"
    assert str(tmp_path) in caught.value.where


def test_a_torn_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "people.parquet").write_bytes(b"PAR1 this is not a parquet file PAR1")
    with pytest.raises(DataError) as caught:
        opened(tmp_path, Population(source="people.parquet"), Field(name="age", type="integer"))
    assert caught.value.code == "data.unreadable"


def test_a_glob_reads_all_files_as_one(tmp_path: Path) -> None:
    write_csv(tmp_path, "id,age\n1,2\n", "part-1.csv")
    write_csv(tmp_path, "id,age\n2,3\n", "part-2.csv")
    found = rows(tmp_path, Population(source="part-*.csv", unit=("id",)), Field(name="age", type="integer"))
    assert [row["age"] for row in found] == [2, 3]
