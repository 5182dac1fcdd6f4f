"""A first `martello.toml` from a file of data: what can be guessed is written, and every guess is said in a comment.

`look` counts, `guess` concludes, this file writes. The text is for a person to correct; it always loads.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError, SpecError, nearest
from martello.spec.guess import Guesses, InputGuess, guess_columns, guess_positive
from martello.spec.look import SourceFacts, look_at
from martello.spec.toml_text import toml_key, toml_list, toml_string

__all__ = ["draft_spec"]

# Below this nothing can be divided into train, dev and gold.
_MIN_ROWS = 20
# A number with more values than this is a quantity; a text with fewer rows per value than this is no class.
_MAX_NUMBER_CLASSES = 50
_MIN_ROWS_PER_CLASS = 5
_MAX_CLASSES = 1000
_PRECISION = 0.80
_AT_LEAST_ABOVE = 0.05  # a floor this close to the share of positives asks for nothing
_LARGE = 2000  # rows; below that every row is needed to learn and judge
_MOST_REHEARSED = 2000
_GENERIC_LABELS = ("label", "target", "y", "class", "outcome", "answer", "category")


def draft_spec(
    file: Path, *, label: str, positive: str | None = None, name: str | None = None, source: str | None = None
) -> str:
    """Write a commented spec for a CSV file, a Parquet file or a glob of either.

    Parameters
    ----------
    file
        The data; relative to the working directory.
    label
        Column with the answer.
    positive
        The answer that counts as yes; None: guessed.
    name
        Short name of the task; None: from the label or the file.
    source
        How the spec names the data, relative to where it will lie; None: as `file`.

    Raises
    ------
    DataError
        ``data.*`` from the engine when the file cannot be read; ``spec.no-such-column``, ``spec.one-class``,
        ``spec.too-few-rows``, ``spec.label-not-classes``, ``spec.no-such-answer``, ``spec.nothing-to-learn-from``.
    SpecError
        ``spec.positive-not-binary`` when `positive` is given and there are more than two answers.
    """
    with DuckDBEngine(Path()) as engine:
        relation = engine.relation(str(file))
        _require_column(label, list(engine.columns(relation)), file)
        facts = look_at(engine, relation, label)
    _require_classes(facts, label, file)
    if positive is not None:
        _require_answer(facts, positive, label, file)
    guesses = guess_columns(facts, label)
    if not guesses.inputs:
        raise DataError(
            "spec.nothing-to-learn-from",
            f"no column of {file.name} but the answer can be an input",
            where=str(file),
            expected="columns that are known before the answer",
            fix="; ".join(f"{column}: {why}" for column, why in guesses.left_out[:3]),
        )
    task = _task_name(name if name is not None else label, file)
    lines = [
        *_head(file, facts),
        *_task(task, label, facts, positive),
        *_population(source if source is not None else file.as_posix(), facts, guesses),
        *_input(guesses),
        *_output(label, facts, positive),
        *_requirement(facts, guesses, positive),
        *_rehearsal(facts, guesses),
        *_OWNERS,
    ]
    return "\n".join(lines) + "\n"


def _require_column(label: str, columns: list[str], file: Path) -> None:
    if label in columns:
        return
    near = nearest(label, columns) or next((name for name in columns if name.lower() == label.lower()), None)
    listed = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
    raise DataError(
        "spec.no-such-column",
        f"{file.name} has no column {label}",
        where=str(file),
        expected=f"one of: {listed}",
        fix=f"--label {toml_key(near)}" if near else "",
    )


def _require_classes(facts: SourceFacts, label: str, file: Path) -> None:
    labeled, classes = sum(n for _, n in facts.labels), len(facts.labels)
    if labeled < _MIN_ROWS:
        raise DataError(
            "spec.too-few-rows",
            f"{file.name} has {labeled} rows with an answer in {label}",
            where=str(file),
            expected=f"at least {_MIN_ROWS}; some hundreds before anything can be proven",
            fix="collect more rows, or name a glob of several files",
        )
    if classes == 1:
        raise DataError(
            "spec.one-class",
            f"{label} is {facts.labels[0][0]} in every row: there is nothing to tell apart",
            where=f"{file}, column {label}",
            expected="at least two answers",
            fix="take rows with the other answer into the file, or name another column",
        )
    (family,) = (column.family for column in facts.columns if column.name == label)
    is_quantity = family in ("integer", "number", "time") and classes > _MAX_NUMBER_CLASSES
    if is_quantity or classes > _MAX_CLASSES or labeled < _MIN_ROWS_PER_CLASS * classes:
        shown = f"{classes:,}" if classes <= _MAX_CLASSES else f"more than {_MAX_CLASSES:,}"
        raise DataError(
            "spec.label-not-classes",
            f"{label} has {shown} values in {labeled:,} rows: that is a quantity or a text, not an answer to choose",
            where=f"{file}, column {label}",
            expected="a few answers that repeat",
            fix="make a column that answers yes or no, such as price > 100",
        )


def _require_answer(facts: SourceFacts, positive: str, label: str, file: Path) -> None:
    values = [value for value, _ in facts.labels]
    if len(values) > 2:
        raise SpecError(
            "spec.positive-not-binary",
            f"{label} has {len(values)} answers, so none of them alone counts as yes",
            where=f"{file}, column {label}",
            expected="two answers, or no positive one",
            fix="leave out --positive",
        )
    if positive not in values:
        near = next((value for value in values if value.strip().lower() == positive.strip().lower()), None)
        fix = f"--positive {toml_string(near or nearest(positive, values) or values[-1])}"
        raise DataError(
            "spec.no-such-answer",
            f"{label} is never {positive}",
            where=f"{file}, column {label}",
            expected=" or ".join(values),
            fix=fix,
        )


def _head(file: Path, facts: SourceFacts) -> Iterator[str]:
    yield f"# A draft from {_quoted(file.name)}: {facts.n_rows:,} rows, {len(facts.columns)} columns."
    yield "# What was guessed is said beside it. Read it, correct it, then: martello run"


def _task(name: str, label: str, facts: SourceFacts, positive: str | None) -> Iterator[str]:
    kind = "binary" if len(facts.labels) == 2 else "multiclass"
    if kind == "binary":
        question = f"Is {label} {positive if positive is not None else guess_positive(facts.labels)[0]}?"
    else:
        question = f"Which {label} is it?"
    yield ""
    yield "[task]"
    yield f"name = {toml_string(name)}"
    yield f"question = {toml_string(question)}  # put it as you would to a person who labels"
    yield f"# kind: {_quoted(label)} has {len(facts.labels)} answers: {_shares(facts)}."
    yield f'kind = "{kind}"'


def _population(source: str, facts: SourceFacts, guesses: Guesses) -> Iterator[str]:
    yield ""
    yield "[population]"
    yield f"source = {toml_string(source)}"
    yield from _role("unit", guesses.unit, "names a unit: each is named by the content of its row")
    yield from _role("group", guesses.group, "ties rows together, such as a person or a household")
    yield from _role("time", guesses.time, "orders the rows in time")
    markers = {marker for column in facts.columns for marker in column.markers}
    markers |= {marker.strip() for marker in markers} - {""}
    if markers:
        columns = [column.name for column in facts.columns if column.markers]
        yield f'# missing: texts that look like "no value", found in {_listed(columns)}.'
        yield f"missing = {toml_list(sorted(markers))}"


def _role(key: str, guess: tuple[str, str] | None, otherwise: str) -> Iterator[str]:
    if guess is None:
        yield f"# {key}: no column was found that {otherwise}."
        return
    name, why = guess
    yield f"# {key}: {_quoted(name)} was guessed: {why}."
    yield f"{key} = {toml_string(name) if key == 'time' else toml_list([name])}"


def _input(guesses: Guesses) -> Iterator[str]:
    yield ""
    yield "# Exactly what the API takes. Optional: missing in some rows."
    yield "[input]"
    for field in guesses.inputs:
        if field.suspicion:
            yield f"# {_quoted(field.name)} looks like a leak: is it known before the decision? ({field.suspicion})"
        remarks = f"  # {'; '.join(field.remarks)}" if field.remarks else ""
        yield f"{toml_key(field.name)} = {_field(field)}{remarks}"
    if guesses.left_out:
        yield "# Left out:"
        for name, why in guesses.left_out:
            yield f"#   {_quoted(name)}: {_one_line(why)}"


def _field(field: InputGuess) -> str:
    return f'{{ type = "{field.type}", optional = true }}' if field.is_optional else f'"{field.type}"'


def _output(label: str, facts: SourceFacts, positive: str | None) -> Iterator[str]:
    yield ""
    yield "[output]"
    yield 'from = "column"'
    unlabeled = facts.n_rows - sum(n for _, n in facts.labels)
    yield f"column = {toml_string(label)}" + (f"  # {unlabeled:,} rows have no answer" if unlabeled else "")
    if positive is not None:
        yield f"positive = {toml_string(positive)}"
    elif len(facts.labels) == 2:
        guessed, why = guess_positive(facts.labels)
        yield f"# positive: {_quoted(guessed)} was guessed: {why}."
        yield f"positive = {toml_string(guessed)}"


def _requirement(facts: SourceFacts, guesses: Guesses, positive: str | None) -> Iterator[str]:
    yield ""
    yield "# How good is good enough: floors that the gate proves on gold. Agree on them before you see a result."
    yield "[requirement]"
    share = _share_of_positive(facts, positive)
    floor = _PRECISION
    if share >= _PRECISION - _AT_LEAST_ABOVE:
        floor = math.floor(50 * (1 + share)) / 100
        yield f"# Calling every row positive is right in {share:.0%} of them: the floor is halfway from there to all."
    yield f"precision = {floor:.2f}  # of what is flagged, the share that is right"
    yield "# recall = 0.50  # of all cases, the share that is found"
    yield "level = 0.95"
    slices = [field.name for field in guesses.inputs if field.type == "category"][:1]
    if slices:
        yield f"# slices = {toml_list(slices)}  # it must hold in each value of these columns, too"


def _rehearsal(facts: SourceFacts, guesses: Guesses) -> Iterator[str]:
    """Keep a twentieth of a large file out of the sample, to stand for tomorrow's traffic."""
    if facts.n_rows < _LARGE or guesses.time is not None:
        return
    kept = min(facts.n_rows // 20, _MOST_REHEARSED)
    yield ""
    yield "# Looked at; the rest is sent through the real server, and what happens is held against what gold promised."
    yield "[sample]"
    yield f"n = {facts.n_rows - kept}"
    yield ""
    yield "[serve]"
    yield f"rehearsal = {kept}"


_OWNERS = (
    "",
    "[owners]",
    '# ml = "..."  # builds the model and answers for it',
    '# product_engineering = "..."  # puts the output in front of people',
    '# product_management = "..."  # agreed to the requirement',
    '# second = "..."  # can run it when the first is away; another person',
)


def _task_name(wanted: str, file: Path) -> str:
    """Make a short name that a spec accepts."""
    base = file.name.split(".")[0] if wanted.lower() in _GENERIC_LABELS else wanted
    plain = unicodedata.normalize("NFKD", base).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_-").lower()
    slug = re.sub(r"^[^a-z]+", "", slug)[:64]
    return slug or "task"


def _share_of_positive(facts: SourceFacts, positive: str | None) -> float:
    """Give the share of rows a binary task calls positive; 0 for other tasks."""
    if len(facts.labels) != 2:
        return 0.0
    counts = dict(facts.labels)
    return counts[positive or guess_positive(facts.labels)[0]] / sum(counts.values())


def _shares(facts: SourceFacts) -> str:
    total = sum(n for _, n in facts.labels)
    shown = [f"{_quoted(value)} {n / total:.0%}" for value, n in facts.labels[:3]]
    return ", ".join(shown) + (", …" if len(facts.labels) > 3 else "")


def _listed(names: list[str]) -> str:
    return ", ".join(map(_quoted, names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _quoted(text: str) -> str:
    """Quote a text of the data for a comment, which must stay on its line."""
    return toml_string(text if len(text) <= 60 else text[:57] + "...")


def _one_line(text: str) -> str:
    return toml_string(text)[1:-1].replace('\\"', '"')
