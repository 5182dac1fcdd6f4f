from __future__ import annotations

import re

import adult_records as world
import pytest

from martello.ship.cards import datasheet, model_card, runbook
from martello.spec.schema import Owners, Task
from martello.stats.estimate import Estimate

STORIES = [world.adult, world.refused, world.undecided, world.nothing_known, world.many_slices, world.several_classes]
CARDS = [model_card, datasheet, runbook]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("story", STORIES)
def test_equal_records_give_equal_bytes_under_any_key(card, story):
    told = story()
    renamed = {f"record {i}": record for i, record in enumerate(told.records.values())}
    assert card(told.spec, told.records) == card(told.spec, renamed)


@pytest.mark.parametrize("card", CARDS)
def test_a_card_can_be_written_at_any_place_of_the_loop(card):
    story = world.adult()
    kinds = list(story.records)
    for n in range(len(kinds) + 1):
        text = card(story.spec, {kind: story.records[kind] for kind in kinds[:n]})
        assert text.startswith("# ")
        assert "None" not in text.replace("None was raised", "")


def test_every_number_on_gold_stands_with_its_interval():
    story = world.adult()
    lines = model_card(story.spec, story.records).splitlines()
    evaluation = story.records["evaluation"]
    measures = [*evaluation.metrics.values(), *(m for s in evaluation.slices for m in s.metrics.values())]
    assert len(measures) == 21
    for measure in measures:
        assert isinstance(measure, Estimate)
        shares = f"{100 * measure.value:.1f} % (between {100 * measure.low:.1f} and {100 * measure.high:.1f})"
        decimals = f"{measure.value:.3f} (between {measure.low:.3f} and {measure.high:.3f})"
        assert any(shares in line or decimals in line for line in lines)


def test_a_number_that_is_not_known_says_why_and_what_it_takes():
    story = world.nothing_known()
    text = model_card(story.spec, story.records)
    assert text.count("not known: no unit was flagged (needs at least 1 flagged unit)") >= 21


def test_the_model_card_names_the_population_as_the_limit_of_its_use():
    story = world.adult()
    text = model_card(story.spec, story.records)
    assert "It was judged on the units of `people.parquet` where `age >= 18`." in text
    assert "units outside that population" in text


def test_the_datasheet_says_how_units_were_chosen_and_what_was_left_out():
    story = world.adult()
    text = datasheet(story.spec, story.records)
    assert "48,842 units" in text
    assert "π = 0.819" in text
    assert "Left out: everything that is not `age >= 18`." in text
    assert "| gold | judges | 8,000 | 7,991 |" in text


def test_the_runbook_names_whom_to_call_or_that_nobody_is_named():
    story = world.adult(owners=Owners(ml="Ada"))
    text = runbook(story.spec, story.records)
    assert "- Model (ML): Ada" in text
    assert "- Product engineering: nobody is named yet" in text


def test_the_runbook_knows_every_refusal_of_the_loader_that_an_operator_meets():
    text = runbook(world.adult().spec, {})
    for code in ("ship.tampered", "ship.missing-file", "ship.unexpected-file", "ship.selftest-differs"):
        assert f"`{code}`" in text


def test_hostile_names_stay_on_their_line_and_are_not_markup():
    story = world.many_slices()
    text = model_card(story.spec, story.records)
    assert not re.search(r"(?<!\\)<script", text)
    assert "\\<script\\>" in text


def test_a_bar_in_a_name_does_not_end_its_cell():
    story = world.adult(task=Task(name="income", question="a | b\n# not a heading"))
    results = world.slice_results((("kind", "a|b", 100, 0.9, 0.5),))
    story.change("evaluation", slices=results)
    text = model_card(story.spec, story.records)
    row = next(line for line in text.splitlines() if "kind = a" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "\n# not a heading" not in text
