from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.sample.near import near_copies, normalize, similar_texts
from martello.sample.split import divide_units
from martello.spec.schema import Field

TEXT = Field(name="note", type="text")
AGE = Field(name="age", type="integer")
LONG = "the dress is lovely and fits well but it runs a bit small so order one size up and enjoy wearing it all day"


def runs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)} if len(words) >= 12 else set()


def jaccard(one: str, other: str) -> float:
    a, b = runs(one), runs(other)
    return len(a & b) / len(a | b) if a and b else 0.0


def linked(pairs: list[list[int]], n: int) -> list[int]:
    """Name each row by the first row it is connected to, by walking."""
    name = list(range(n))
    for _ in range(n):
        for a, b in pairs:
            name[a] = name[b] = min(name[a], name[b])
    return name


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_what_is_connected_is_what_comparing_all_pairs_connects(seed: int) -> None:
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(rng.choice([8, 40, 400]))]
    texts = [" ".join(rng.choices(words, k=rng.randint(5, 60))) for _ in range(12)]
    for _ in range(14):  # copies with a few words changed, left out or added
        copy = rng.choice(texts).split()
        for _ in range(rng.randint(0, 2)):
            place = rng.randrange(len(copy))
            copy[place : place + rng.randint(0, 1)] = [rng.choice(words)]
        texts.append(" ".join(copy))
    brute = [[a, b] for a in range(len(texts)) for b in range(a + 1, len(texts)) if jaccard(texts[a], texts[b]) >= 0.9]
    found = similar_texts(texts).tolist()
    assert all(pair in brute for pair in found)
    assert linked(found, len(texts)) == linked(brute, len(texts))


def table(notes: list[str | None], ages: list[int]) -> pa.Table:
    return pa.table({"input.note": pa.array(notes, pa.string()), "input.age": ages})


def test_case_spaces_signs_and_numbers_make_no_difference() -> None:
    assert normalize("  Win £1,000\tNOW!! ") == normalize("win £2,500 now")
    units = table(["Call 0800 NOW!", "call 0900   now", "Call me now"], [1, 1, 1])
    assert near_copies(units, (TEXT, AGE)).tolist() == [[0, 1]]


def test_short_texts_are_copies_only_when_all_inputs_agree() -> None:
    units = table(["Fits well.", "fits well", "fits WELL"], [30, 30, 41])
    assert near_copies(units, (TEXT, AGE)).tolist() == [[0, 1]]


def test_long_texts_are_copies_whatever_the_other_inputs_say() -> None:
    units = table([LONG, "something else", LONG + " long", None], [30, 31, 32, 33])
    assert near_copies(units, (TEXT, AGE)).tolist() == [[0, 2]]


def test_without_a_text_there_is_nothing_to_look_for() -> None:
    assert near_copies(table(["a", "a"], [1, 1]), (AGE,)).shape == (0, 2)


def test_many_texts_from_one_template_are_all_connected() -> None:
    base = [f"word{i}" for i in range(100)]
    texts = [" ".join([*base[:50], f"name{i}", *base[50:]]) for i in range(300)]
    assert set(linked(similar_texts(texts).tolist(), 300)) == {0}


def divided(near: list[list[int]] | None, contents: list[str]):
    import numpy as np

    n = len(contents)
    units = pa.table(
        {
            "unit": [f"u{i:04d}" for i in range(n)],
            "group": pa.nulls(n, pa.string()),
            "content": contents,
            "time": pa.nulls(n, pa.int64()),
        }
    )
    pairs = None if near is None else np.asarray(near, dtype=np.int64).reshape(-1, 2)
    return divide_units(units, dev=0.3, gold=0.3, seed=2, near=pairs)


def test_near_copies_lie_on_one_side_and_are_one_cluster() -> None:
    contents = [f"c{i}" for i in range(300)]
    near = [[i, i + 100] for i in range(100)]
    assert any(divided(None, contents).split[a] != divided(None, contents).split[b] for a, b in near)
    few = divided(near[:40], contents)
    assert all(few.split[a] == few.split[b] and few.cluster[a] == few.cluster[b] for a, b in near[:40])
    assert [(f.code, f.what.split()[0]) for f in few.findings] == [("sample.near-copies-kept-together", "80")]


def test_when_most_units_are_near_copies_they_are_types_of_unit() -> None:
    found = divided([[i, i + 100] for i in range(100)], [f"c{i}" for i in range(150)] + [f"d{i}" for i in range(50)])
    assert found.copies_are_types
    assert [finding.code for finding in found.findings] == ["sample.inputs-are-types"]
    assert not found.is_clustered


def test_exact_copies_are_not_counted_as_near_ones() -> None:
    found = divided([[0, 1]], ["same", "same", *(f"c{i}" for i in range(98))])
    assert [finding.code for finding in found.findings] == ["sample.copies-kept-together"]


@pytest.mark.shared_data
def test_templates_of_spam_are_found(shared) -> None:
    import pyarrow.parquet as pq

    texts = pq.read_table(shared("sms_spam"))["text"].to_pylist()
    units = pa.table({"input.note": texts})
    name = linked_fast(near_copies(units, (TEXT,)).tolist(), len(texts))
    private = [i for i, text in enumerate(texts) if text.startswith("PRIVATE! Your 2003 Account Statement for")]
    assert len(private) > 10
    assert len({name[i] for i in private}) < len(private) / 2


def linked_fast(pairs: list[list[int]], n: int) -> list[int]:
    name = list(range(n))

    def root(i: int) -> int:
        while name[i] != i:
            i = name[i]
        return i

    for a, b in pairs:
        name[max(root(a), root(b))] = min(root(a), root(b))
    return [root(i) for i in range(n)]
