from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from martello.errors import DataError
from martello.label.column import label_from_column
from martello.records import Labels, Sample
from martello.spec.schema import Output
from martello.stats.estimate import Estimate
from martello.store import Store


def labels_of(
    tmp_path: Path,
    answers: list[str | None],
    *,
    kind: str = "binary",
    positive: str | None = "yes",
    pi: list[float] | None = None,
    split: list[str] | None = None,
    author: list[str | None] | None = None,
) -> tuple[Store, Labels]:
    store = Store(tmp_path)
    n = len(answers)
    units = pa.table(
        {
            "unit": [f"u{i:04d}" for i in range(n)],
            "label": pa.array(answers, pa.string()),
            "author": pa.array(author or [None] * n, pa.string()),
            "inclusion_probability": pi or [1.0] * n,
            "split": split or [("train", "dev", "gold")[i // 6 % 3] for i in range(n)],
            "cluster": [f"u{i:04d}" for i in range(n)],
        }
    )
    sample = Sample(
        parents=(),
        design="test",
        seed=0,
        splits=(),
        units=store.put_table(units),
        is_clustered=False,
        split_by="hash",
        findings=(),
    )
    output = Output(column="answer", positive=positive)
    return store, label_from_column(store, sample, output=output, kind=kind, missing=("?",), level=0.95)


def test_the_positive_class_is_the_second_and_missing_answers_are_counted(tmp_path: Path) -> None:
    store, labels = labels_of(tmp_path, ["yes", "no", "no"] * 20 + [None, "?", ""])
    assert labels.classes == ("no", "yes")
    assert (labels.n_labeled, labels.n_missing) == (60, 3)
    assert store.get_table(labels.table)["code"].to_pylist()[-3:] == [None, None, None]


def test_the_share_of_a_class_speaks_of_the_population_and_not_of_the_sample(tmp_path: Path) -> None:
    # Half the sample is positive, but the positives were drawn four times as often: the population holds 20 %.
    _, labels = labels_of(tmp_path, ["yes", "no"] * 60, pi=[0.4, 0.1] * 60)
    share = labels.shares[1]
    assert isinstance(share, Estimate)
    assert share.value == pytest.approx(60 / 0.4 / (60 / 0.4 + 60 / 0.1))
    assert share.low < share.value < share.high


def test_several_other_answers_are_one_class_in_a_binary_task(tmp_path: Path) -> None:
    _, labels = labels_of(tmp_path, ["yes", "no", "perhaps"] * 20)
    assert labels.classes == ("not yes", "yes")


def test_with_several_classes_none_is_positive(tmp_path: Path) -> None:
    _, labels = labels_of(tmp_path, ["a", "b", "c"] * 20, kind="multiclass", positive=None)
    assert labels.classes == ("a", "b", "c")
    assert labels.positive is None


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([None] * 60, "label.no-labels"),
        (["yes"] * 60, "label.one-class"),
        (["Yes", "no"] * 30, "label.no-such-class"),
        (["yes"] + ["no"] * 59, "label.rare-class"),
    ],
)
def test_labels_that_cannot_be_learnt_from_are_refused_by_name(
    tmp_path: Path, answers: list[str | None], code: str
) -> None:
    with pytest.raises(DataError) as caught:
        labels_of(tmp_path, answers)
    assert caught.value.code == code


def test_the_nearest_answer_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        labels_of(tmp_path, ["Yes", "no"] * 30)
    assert caught.value.fix == "positive = 'Yes'"


def test_an_answer_by_a_model_may_train_and_never_judge(tmp_path: Path) -> None:
    answers, split = ["yes", "no"] * 60, ["train"] * 60 + ["dev"] * 30 + ["gold"] * 30
    by_train = ["model:gpt"] * 60 + ["Ada"] * 60
    _, labels = labels_of(tmp_path / "train", answers, split=split, author=by_train)
    assert labels.n_labeled == 120
    by_gold = ["Ada"] * 119 + ["model:gpt"]
    with pytest.raises(DataError) as caught:
        labels_of(tmp_path / "gold", answers, split=split, author=by_gold)
    assert caught.value.code == "label.gold-by-model"
    assert "model:gpt" in str(caught.value)
