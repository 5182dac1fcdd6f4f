"""The datasheet: where the data comes from, how it was drawn, labeled and divided, and what is wrong with it.

It speaks of data only; how good a model is on it stands in the model card.
"""

from __future__ import annotations

from collections.abc import Mapping

from martello.records import AnyRecord
from martello.ship.known import Known
from martello.ship.markdown import bullets, code, document, finding_lines, plain, population_of, table
from martello.ship.words import count, join, percent, say
from martello.spec.schema import Spec

__all__ = ["datasheet"]

_SIDES = {
    "train": "learns",
    "dev": "chooses model and threshold",
    "gold": "judges",
    "aside": "drawn, but would lie on two sides; not used",
    "reserve": "not drawn; kept for a rehearsal",
}


def datasheet(spec: Spec, records: Mapping[str, AnyRecord]) -> str:
    """Write where the data comes from, how it was drawn, labeled and divided, and what is wrong with it.

    Parameters
    ----------
    spec
        The agreement.
    records
        What is known so far, by any key.

    Returns
    -------
    str
        Markdown; equal input gives equal bytes.
    """
    known = Known.of(spec, records)
    return document(
        [f"# Datasheet: {plain(spec.task.name)}", ""],
        _frame(known),
        _drawing(known),
        _labels(known),
        _inputs(known),
        _faults(known),
    )


def _frame(known: Known) -> list[str]:
    frame, population = known.frame, known.spec.population
    if frame is None:
        return [f"**The population is {population_of(known.spec)}; it has not been listed yet.**", ""]
    unit = join(map(code, frame.unit)) if frame.unit else "the content of its row"
    excluded = (
        f"Left out: everything that is not {code(population.where)}." if population.where else "Nothing was left out."
    )
    groups = [f"{count(frame.n_groups, 'group')} tie units together."] if frame.n_groups is not None else []
    return [
        f"**{count(frame.n_units, 'unit')} stand for the population: {population_of(known.spec)}.**",
        "",
        "## The population",
        "",
        *bullets(
            (f"A unit is named by {unit}.", excluded, *groups, f"Fingerprint of the list: {code(frame.fingerprint)}.")
        ),
    ]


def _drawing(known: Known) -> list[str]:
    sample = known.sample
    if sample is None:
        return ["## The sample", "", "Nothing has been drawn yet.", ""]
    how = "by time: gold is later than dev, and dev later than training" if sample.split_by == "time" else "by hash"
    lines = [
        f"Design: {plain(sample.design)}. Every drawn unit carries the probability with which it was drawn.",
        f"Divided {how}; no unit, group or exact copy lies on two sides.",
        "Units that belong together were counted as clusters in every interval."
        if sample.is_clustered
        else "Units were taken as independent of one another.",
    ]
    rows = [(s.split, _SIDES[s.split], count(s.n_units), count(s.n_clusters)) for s in sample.splits]
    return ["## The sample", "", *bullets(lines), *table(("Side", "What for", "Units", "Clusters"), rows)]


def _labels(known: Known) -> list[str]:
    labels = known.labels
    if labels is None:
        return ["## The labels", "", "There are no labels yet.", ""]
    rows = [
        (code(name), plain(say(share, digits=1))) for name, share in zip(labels.classes, labels.shares, strict=True)
    ]
    source = {"column": "a column of the source", "annotators": "annotators", "outcomes": "outcomes of decisions"}
    text = (
        f"The answer comes from {source[labels.source]}. {count(labels.n_labeled, 'unit')} have one; "
        f"{count(labels.n_missing)} have none and were not used."
    )
    return ["## The labels", "", text, "", *table(("Answer", "Share of the population"), rows)]


def _inputs(known: Known) -> list[str]:
    if known.features is None:
        rows = [(code(f.name), f.type, "yes" if f.optional else "no", plain(f.description)) for f in known.spec.input]
        return ["## The inputs", "", *table(("Input", "Type", "May be missing", "Meaning"), rows)]
    described = {field.name: field.description for field in known.spec.input}
    columns = [
        (
            code(c.name),
            c.type,
            "yes" if c.optional else "no",
            percent(c.missing_share, 1),
            count(c.n_distinct),
            plain(described.get(c.name, "")),
        )
        for c in known.features.columns
    ]
    texts = join(map(code, known.features.missing))
    note = [f"These texts were read as a missing value: {texts}.", ""] if texts else []
    head = ("Input", "Type", "May be missing", "Missing in training", "Different values", "Meaning")
    return ["## The inputs", "", *note, *table(head, columns)]


def _faults(known: Known) -> list[str]:
    sources = (known.frame, known.sample, known.features)
    findings = [finding for record in sources if record is not None for finding in record.findings]
    lines = finding_lines(findings) or ["Nothing was found by the checks; that is no proof that nothing is there."]
    return ["## What is known to be wrong", "", *bullets(lines)]
