from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import martello.demo
from martello.errors import DataError, IntegrityError
from martello.features import compute_features
from martello.records import Labels, Sample, record_id
from martello.spec.known_afterwards import looks_known_afterwards
from martello.spec.schema import Field
from martello.stats.estimate import Estimate, NotEstimable
from martello.store import Store

HERE = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data"  # sets that may not be carried in the repository
ADULT = Path(martello.demo.__file__).parent / "adult.parquet"
TYPES = {"int32": "integer", "int64": "integer", "double": "number", "string": "category", "large_string": "category"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".martello")


@pytest.fixture
def staged(store: Store):
    """Make Sample and Labels from a table of inputs and class codes, 60 % train, 20 % dev, 20 % gold."""

    def make(inputs: pa.Table, codes: Any, *, classes: tuple[str, ...] = ("no", "yes"), time: Any = None):
        n = inputs.num_rows
        units = [f"u{i}" for i in range(n)]
        sides = np.array(["train", "train", "train", "dev", "gold"])[np.random.default_rng(1).integers(0, 5, n)]
        table = pa.table(
            {
                "unit": units,
                "inclusion_probability": pa.array(np.full(n, 0.5)),
                "split": sides.tolist(),
                "cluster": units,
                "time": pa.array([None] * n if time is None else time, pa.int64()),
                **{f"input.{name}": inputs[name] for name in inputs.column_names},
            }
        )
        sample = Sample(
            parents=("frame-0",),
            design="simple",
            seed=0,
            splits=(),
            units=store.put_table(table),
            is_clustered=False,
            split_by="hash",
            findings=(),
        )
        labels = Labels(
            parents=(record_id(sample),),
            source="column",
            classes=classes,
            positive=classes[1] if len(classes) == 2 else None,
            shares=(),
            n_labeled=n,
            n_missing=0,
            table=store.put_table(pa.table({"unit": units, "code": pa.array(codes, pa.int32())})),
        )
        return sample, labels

    return make


def fields_of(table, *, text=()):
    return tuple(
        Field(name=column.name, type="text" if column.name in text else TYPES[str(column.type)], optional=True)
        for column in table.schema
    )


def real(path, label, positive, *, drop=(), text=()):
    if not path.exists():
        pytest.skip(f"{path.name} may not be carried in the repository and is not beside it")
    table = pq.read_table(path)
    codes = [None if value is None else int(str(value) == positive) for value in table[label].to_pylist()]
    inputs = table.drop_columns([label, *drop])
    return inputs, codes, fields_of(inputs, text=text)


def flagged(features):
    return [finding.columns for finding in features.findings if finding.code == "features.looks-like-leak"]


@pytest.mark.parametrize(
    ("path", "label", "positive", "drop", "text", "leaks"),
    [
        (HERE / "telco_churn.parquet", "churn", "Yes", (), (), []),
        (HERE / "german_credit.parquet", "credit_risk", "2", (), (), []),
        (ADULT, "income", ">50K", (), (), []),
        pytest.param(
            *(SHARED / "yrbss_gender_height/yrbss_gender_height.parquet", "gender", "male", (), (), []),
            marks=pytest.mark.shared_data,
            id="yrbss",
        ),
        pytest.param(
            *(SHARED / "bank_marketing/bank_marketing.parquet", "y", "yes", ("row_order",), (), [("duration",)]),
            marks=pytest.mark.shared_data,
            id="bank",
        ),
        pytest.param(
            SHARED / "womens_clothing_reviews/womens_clothing_reviews.parquet",
            "Recommended IND",
            "1",
            (),
            ("Title", "Review Text"),
            [("Rating",)],
            marks=pytest.mark.shared_data,
            id="womens",
        ),
    ],
)
def test_known_leaks_of_real_data_are_asked_about_and_nothing_else(
    store, staged, path, label, positive, drop, text, leaks
):
    inputs, codes, fields = real(path, label, positive, drop=drop, text=text)
    sample, labels = staged(inputs, codes)
    found = compute_features(
        store, sample, labels, fields=fields, missing=("?",), known_afterwards=looks_known_afterwards
    )
    assert flagged(found) == leaks


def small(n=400, **columns):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, n)
    return pa.table({"x": rng.normal(size=n), **{name: make(rng, codes, n) for name, make in columns.items()}}), codes


def compute(store, staged, table, codes, **options):
    sample, labels = staged(table, codes, **{key: options.pop(key) for key in ("time", "classes") if key in options})
    return compute_features(store, sample, labels, fields=fields_of(table), **options)


def test_a_column_that_gives_the_answer_is_asked_about(store, staged):
    table, codes = small(leak=lambda rng, codes, n: codes + rng.normal(0, 0.2, n))
    (finding,) = compute(store, staged, table, codes).findings
    assert finding.columns == ("leak",)
    assert "is it known before the decision?" in finding.what


def test_a_suspicious_name_is_asked_about_only_when_the_column_says_much(store, staged):
    table, codes = small(
        n=2000,
        strong=lambda rng, codes, n: codes + rng.normal(0, 0.7, n),
        weak=lambda rng, codes, n: codes + rng.normal(0, 5, n),
    )
    found = compute(store, staged, table, codes, known_afterwards=lambda name: "it is late")
    assert flagged(found) == [("strong",)]
    assert flagged(compute(store, staged, table, codes)) == []


def test_an_id_that_follows_time_or_predicts_is_asked_about_and_a_shuffled_one_is_not(store, staged):
    n = 400
    ordered, codes = small(n, id=lambda rng, codes, n: 1000 + np.arange(n))
    assert flagged(compute(store, staged, ordered, codes)) == []
    assert flagged(compute(store, staged, ordered, codes, time=np.arange(n) * 10)) == [("id",)]
    telling, codes = small(n, id=lambda rng, codes, n: np.argsort(np.argsort(codes + rng.normal(0, 0.5, n))))
    assert flagged(compute(store, staged, telling, codes)) == [("id",)]


def test_constant_empty_and_copied_columns_are_noted(store, staged):
    table, codes = small(
        same=lambda rng, codes, n: np.full(n, 7), empty=lambda rng, codes, n: pa.nulls(n, pa.float64())
    )
    table = table.append_column("again", table["x"])
    found = compute(store, staged, table, codes)
    assert [(finding.code, finding.columns) for finding in found.findings] == [
        ("features.constant", ("same",)),
        ("features.constant", ("empty",)),
        ("features.copy", ("again", "x")),
    ]


def test_the_profile_counts_missing_and_distinct_on_train_only(store, staged):
    table, codes = small(job=lambda rng, codes, n: np.where(rng.random(n) < 0.25, "?", rng.choice(["a", "b"], n)))
    sample, labels = staged(table, codes)
    found = compute_features(store, sample, labels, fields=fields_of(table), missing=("?",))
    units = store.get_table(sample.units).to_pandas()
    train = units[units["split"] == "train"]["input.job"]
    job = found.columns[1]
    assert job.missing_share == pytest.approx((train == "?").mean())
    assert job.n_distinct == 2
    assert isinstance(job.alone, Estimate)
    assert job.alone.n == (units["split"] == "dev").sum()


def test_the_table_holds_every_unit_in_order_with_declared_types(store, staged):
    table, codes = small(n=60, job=lambda rng, codes, n: rng.choice(["a", "?"], n))
    sample, labels = staged(table, codes)
    found = compute_features(store, sample, labels, fields=fields_of(table), missing=("?",))
    typed = store.get_table(found.table)
    assert typed["unit"].equals(store.get_table(sample.units)["unit"])
    assert [str(kind) for kind in typed.schema.types] == ["string", "double", "string"]
    assert typed["input.job"].to_pylist() == [None if job == "?" else job for job in table["job"].to_pylist()]


def test_several_classes_have_no_auc_and_say_so(store, staged):
    table, codes = small()
    found = compute(store, staged, table, codes + np.arange(len(codes)) % 2, classes=("a", "b", "c"))
    assert isinstance(found.columns[0].alone, NotEstimable)


def test_two_runs_give_the_same_record(store, staged):
    table, codes = small(leak=lambda rng, codes, n: codes)
    first, second = (compute(store, staged, table, codes) for _ in range(2))
    assert first == second


def test_labels_of_another_sample_are_refused(store, staged):
    table, codes = small(n=50)
    sample, _ = staged(table, codes)
    _, other = staged(table.slice(0, 40), codes[:40])
    with pytest.raises(IntegrityError, match="units-differ"):
        compute_features(store, sample, other, fields=fields_of(table))


def test_a_wrong_type_anywhere_in_the_sample_is_named_with_its_unit(store, staged):
    table, codes = small(n=50, pay=lambda rng, codes, n: ["1"] * 49 + ["lots"])
    sample, labels = staged(table, codes)
    with pytest.raises(DataError, match="column pay, unit u49"):
        compute_features(store, sample, labels, fields=(Field(name="pay", type="number"),))


def test_the_record_has_an_id(store, staged):
    table, codes = small()
    found = compute(store, staged, table, codes)
    assert record_id(found).startswith("features-")
    assert isinstance(found.parents, tuple)
    assert found.parents[1].startswith(str(Labels.__struct_config__.tag))
