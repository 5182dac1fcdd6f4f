"""Features in `martello.toml`: every fault at its line, whichever floor of the house found it."""

from __future__ import annotations

from pathlib import Path

import pytest

from martello.corridor.agreement import declared_features, load_agreement
from martello.errors import SpecError

SPEC = """\
[task]
name = "open"
question = "Will they open it?"
[population]
source = "asked.parquet"
time = "asked_at"
[input]
user = { type = "category", feature_only = true }
title = "text"
[source.opens]
table = "opens.parquet"
id = "open_id"
key = ["user"]
time = "opened_at"
columns = { open_id = "integer", user = "category", opened_at = "time", size = "number" }
[feature]
opens_7d = { from = "opens", agg = "count", window = "7d" }
long_title = "length(title) > 20"
[output]
column = "opened"
positive = "1"
"""


def faults(tmp_path: Path, old: str, new: str) -> list[tuple[str, str]]:
    """Give code and place of each fault of the spec with one thing changed."""
    assert old in SPEC
    (tmp_path / "martello.toml").write_text(SPEC.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_agreement(tmp_path / "martello.toml")
    return [(each.code, each.where.removeprefix("martello.toml, ")) for each in (caught.value, *caught.value.others)]


def test_a_sound_agreement_is_read_with_its_features(tmp_path):
    (tmp_path / "martello.toml").write_text(SPEC, encoding="utf-8")
    declared = declared_features(load_agreement(tmp_path / "martello.toml"))
    assert declared is not None
    assert declared.types == {"opens_7d": ("integer", True), "long_title": ("boolean", False)}


@pytest.mark.parametrize(
    ("old", "new", "code", "where"),
    [
        ('window = "7d"', 'window = "7 days"', "spec.wrong-form", "line 17, $.feature.opens_7d.window"),
        (', window = "7d"', "", "features.window-unbounded", "line 17, $.feature.opens_7d"),
        ('agg = "count"', 'agg = "cuont"', "spec.unknown-value", "line 17, $.feature.opens_7d.agg"),
        ('from = "opens"', 'from = "opened"', "features.unknown-source", "line 17, $.feature.opens_7d"),
        ('"length(title) > 20"', '"lenght(title) > 20"', "features.unknown-function", "line 18, $.feature.long_title"),
        ('"length(title) > 20"', '"length(titel) > 20"', "features.unknown-name", "line 18, $.feature.long_title"),
        ('"length(title) > 20"', '"not long_title"', "features.cycle", "line 18, $.feature.long_title"),
        ("long_title =", "title =", "spec.feature-name-taken", "line 18, $.feature.title"),
        ("long_title =", "opened =", "spec.feature-name-taken", "line 18, $.feature.opened"),
        ("long_title =", "now =", "spec.feature-name-taken", "line 18, $.feature.now"),
        ('"length(title) > 20"', '{ owner = "Ada" }', "spec.feature-unclear", "line 18, $.feature.long_title"),
        ('"length(title) > 20"', "7", "spec.wrong-type", "line 18, $.feature.long_title"),
        (
            '"length(title) > 20"',
            '{ expression = "1", k = 2 }',
            "spec.feature-unclear",
            "line 18, $.feature.long_title.k",
        ),
        ('time = "asked_at"\n', "", "spec.feature-needs-time", "line 16, $.feature.opens_7d"),
        ('key = ["user"]', "key = []", "features.aggregate-arguments", "line 10, $.source.opens"),
        ('id = "open_id"\n', "", "spec.missing-key", "line 10, $.source.opens.id"),
        ('size = "number"', 'size = "nmber"', "spec.unknown-value", "line 15, $.source.opens.columns.size"),
        (
            'user = { type = "category", feature_only = true }\n',
            "",
            "features.key-not-input",
            "line 16, $.feature.opens_7d",
        ),
    ],
)
def test_every_fault_is_placed(tmp_path, old, new, code, where):
    assert (code, where) in faults(tmp_path, old, new)


def test_the_moment_of_a_decision_needs_a_time_of_the_unit(tmp_path):
    plain = SPEC.replace('time = "asked_at"\n', "").replace(
        '{ from = "opens", agg = "count", window = "7d" }', '"hour(now)"'
    )
    (tmp_path / "martello.toml").write_text(plain, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_agreement(tmp_path / "martello.toml")
    assert caught.value.code == "spec.feature-needs-time"


def test_what_names_or_orders_units_may_be_an_input_that_the_model_does_not_see(tmp_path):
    grouped = SPEC.replace('time = "asked_at"', 'time = "asked_at"\ngroup = ["user"]')
    (tmp_path / "martello.toml").write_text(grouped, encoding="utf-8")
    assert load_agreement(tmp_path / "martello.toml").population.group == ("user",)
    seen = grouped.replace('{ type = "category", feature_only = true }', '"category"')
    (tmp_path / "martello.toml").write_text(seen, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_agreement(tmp_path / "martello.toml")
    assert caught.value.code == "spec.role-is-input"


def test_a_model_that_would_see_nothing_is_refused(tmp_path):
    blind = SPEC.replace('title = "text"', 'title = { type = "text", feature_only = true }')
    blind = blind.replace('window = "7d"', 'window = "7d", feature_only = true')
    blind = blind.replace('"length(title) > 20"', '{ expression = "length(title)", feature_only = true }')
    (tmp_path / "martello.toml").write_text(blind, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_agreement(tmp_path / "martello.toml")
    assert caught.value.code == "spec.model-sees-nothing"
