from __future__ import annotations

import adult_records as world
import msgspec
import pytest

from martello.records import LabelCost
from martello.ship.known import Known
from martello.ship.sentence import headline, supporting
from martello.spec.schema import Requirement
from martello.stats.estimate import Verdict


def said(story) -> str:
    return headline(Known.of(story.spec, story.records))


def test_a_gate_that_opened_says_floor_value_and_interval():
    assert said(world.adult()) == (
        "Ready to ship: at least 80 % of what it flags is right (84 %, between 82 and 86), "
        "and it finds at least 30 % of all cases (61 %, between 59 and 63)."
    )


def test_what_was_not_agreed_is_told_without_a_floor():
    story = world.adult(requirement=Requirement(precision=0.8))
    evaluation = story.records["evaluation"]
    story.change("evaluation", claims=tuple(c for c in evaluation.claims if c.metric == "precision"))
    assert said(story).endswith("and it finds 61 % of all cases (between 59 and 63).")


def test_an_interval_that_ends_near_the_floor_gets_a_decimal():
    story = world.adult()
    first, *rest = story.records["evaluation"].claims
    near = msgspec.structs.replace(first, estimate=world.est(0.823, 0.021))
    story.change("evaluation", claims=(near, *rest))
    assert "(82.3 %, between 80.2 and 84.4)" in said(story)


def test_a_refusal_names_the_number_and_the_floor():
    assert said(world.refused()) == "Not ready to ship: precision is 76 % (between 74 and 78), below the agreed 80 %."


def test_an_open_question_is_told_as_one():
    assert said(world.undecided()) == (
        "Not decided yet: gold does not show whether precision is at least 80 % (82 %, between 78 and 86)."
    )


def test_a_refusal_for_another_reason_gives_that_reason():
    story = world.adult()
    conditions = story.records["gate"].conditions
    constant = msgspec.structs.replace(conditions[3], verdict=Verdict.NOT_MET, because="The constant rule won.")
    story.change("gate", conditions=(*conditions[:3], constant), verdict=Verdict.NOT_MET)
    assert said(story) == "Not ready to ship: the constant rule won."


@pytest.mark.parametrize(
    ("kinds", "start"),
    [
        ((), "Not begun"),
        (("frame", "sample"), "Not trained yet: 40,000 units are drawn"),
        (("frame", "sample", "labels", "features", "model"), "Not judged yet: a model is trained"),
        (("sample", "model", "operating_point"), "Not judged yet: model and threshold are chosen"),
        (("sample", "model", "operating_point", "evaluation"), "Judged, not yet at the gate"),
    ],
)
def test_every_place_of_the_loop_has_its_sentence(kinds, start):
    assert said(world.adult().only(*kinds)).startswith(start)


@pytest.mark.parametrize(
    "story", [world.adult, world.refused, world.undecided, world.nothing_known, world.several_classes]
)
def test_it_is_one_sentence(story):
    sentence = said(story())
    assert sentence.endswith(".")
    assert ". " not in sentence


def test_what_happened_in_use_stands_below_with_both_intervals():
    story = world.adult()
    first = supporting(Known.of(story.spec, story.records))[0]
    assert (
        first
        == "In the rehearsal, precision was 83 % (between 79 and 86), as promised: gold gave 84 % (between 82 and 86)."
    )


def test_the_cost_in_labels_names_its_median_and_the_draws_it_ranges_over():
    """The ends of twenty draws are no interval, and are not written like one."""
    story = world.adult()
    evaluation = story.records["evaluation"]
    for n_agree, ending in ((20, "in 20 draws."), (19, "in 19 of 20 draws.")):
        labels = tuple(range(300, 300 + 10 * n_agree, 10))
        cost = LabelCost(verdict=evaluation.verdict, n_gold=8000, n_draws=20, labels=labels)
        records = story.records | {"evaluation": msgspec.structs.replace(evaluation, label_cost=cost)}
        said_of_cost = next(text for text in supporting(Known.of(story.spec, records)) if "one by one" in text)
        median = round((labels[0] + labels[-1]) / 2)
        assert said_of_cost == (
            f"Asked one by one, a median of {median} of the 8,000 gold labels would have been enough to know it of "
            f"these units: between 300 and {labels[-1]} {ending}"
        )
