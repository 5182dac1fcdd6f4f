"""Real sets with a binary label for the training benchmark, each divided into rows to learn from and rows to judge by.

Only `bench/training.py` uses this. A row's side follows from a hash of its content, so that equal rows never lie on
both sides. Columns that are known only after the answer are left out, as are columns that repeat it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from martello.spec.schema import Field
from martello.train.learner import TrainingData

__all__ = ["LABEL", "SETS", "RealSet"]

DATA = Path(__file__).parents[2] / "shared" / "data"
LABEL = "label"

_TEST_SHARE = 0.2


@dataclass(frozen=True)
class RealSet:
    """One set: where it is, what is asked, and what is left out."""

    name: str
    path: str
    label: str
    positive: str
    without: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    most_rows: int | None = None
    shaped_by: bool = True  # the recipe was shaped while looking at this set

    def table(self) -> pa.Table:
        """Give the rows with a known answer, the answer as 0 or 1 in `LABEL`."""
        table = pq.read_table(DATA / self.path)
        table = table.filter(pc.is_valid(table[self.label]))
        codes = [int(str(value) == self.positive) for value in table[self.label].to_pylist()]
        kept = [name for name in table.column_names if name not in (self.label, *self.without)]
        plain = [pc.cast(table[name], _plain(table.schema.field(name).type)) for name in kept]
        table = pa.table([*plain, pa.array(codes)], names=[*kept, LABEL])
        return table if self.most_rows is None else table.take(np.argsort(_places(table, "some"))[: self.most_rows])

    def sides(self) -> tuple[pa.Table, pa.Table]:
        """Give the rows to learn from and the rows to judge by."""
        table = self.table()
        is_test = _places(table, "test") < _TEST_SHARE
        return table.filter(~is_test), table.filter(is_test)

    def data(self, table: pa.Table) -> TrainingData:
        """Give rows as our learners take them."""
        fields = tuple(
            Field(name=column.name, type=self._type(column), optional=True)
            for column in table.schema
            if column.name != LABEL
        )
        return TrainingData(
            fields=fields,
            columns={field.name: _values(table[field.name]) for field in fields},
            codes=table[LABEL].to_numpy().astype(np.int64),
            weights=np.ones(len(table)),
            clusters=[str(place) for place in _places(table, "cluster")],  # equal rows stay together
            classes=("no", "yes"),
        )

    def _type(self, column: pa.Field) -> str:
        if pa.types.is_timestamp(column.type):
            return "time"
        if pa.types.is_string(column.type):
            return "text" if column.name in self.texts else "category"
        return "number" if pa.types.is_floating(column.type) else "integer"


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind):
        return pa.string()
    return kind


def _values(column: pa.ChunkedArray) -> list[object]:
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()


def _places(table: pa.Table, salt: str) -> np.ndarray:
    """Give each row a place in [0, 1) by its content, the answer left out."""
    rows = zip(*(table[name].to_pylist() for name in table.column_names if name != LABEL), strict=True)
    digests = [hashlib.blake2b(f"{salt}|{row}".encode(), digest_size=8).digest() for row in rows]
    return np.array([int.from_bytes(digest, "big") / 2**64 for digest in digests])


SETS = (
    RealSet("german_credit", "german_credit/german_credit.parquet", "credit_risk", "2"),
    RealSet("telco_churn", "telco_churn/telco_churn.parquet", "churn", "Yes"),
    RealSet("sms_spam", "sms_spam/sms_spam.parquet", "label", "spam", texts=("text",)),
    RealSet("yrbss_gender", "yrbss_gender_height/yrbss_gender_height.parquet", "gender", "female"),
    RealSet(
        "womens_clothing",
        "womens_clothing_reviews/womens_clothing_reviews.parquet",
        "Recommended IND",
        "1",
        without=("Rating",),
        texts=("Title", "Review Text"),
    ),
    RealSet("bank_marketing", "bank_marketing/bank_marketing.parquet", "y", "yes", without=("row_order", "duration")),
    RealSet("adult", "adult/adult.parquet", "income", ">50K"),
    RealSet(
        "acs_employment",
        "acs_employment_ma/acs_employment_ma.parquet",
        "employed",
        "1",
        without=("id", "year", "period", "nannyml_prediction", "nannyml_predicted_probability"),
        most_rows=50_000,
    ),
    RealSet(
        "nycflights13",
        "nycflights13/nycflights13.parquet",
        "arr_delayed_15",
        "1",
        without=("year", "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"),
        most_rows=60_000,
    ),
)
