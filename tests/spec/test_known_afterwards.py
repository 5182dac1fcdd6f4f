"""Names that suggest a value is known only after the decision, and names that only look so."""

from __future__ import annotations

import pytest

from martello.spec.known_afterwards import looks_known_afterwards


@pytest.mark.parametrize(
    "name",
    [
        "outcome",
        "duration",
        "dep_delay",
        "Rating",
        "closed_at",
        "ClosedAt",
        "final.status",
        "days after release",
        "RESOLUTION",
        "callDuration",
        "nannyml_prediction",
        "elapsed-ms",
    ],
)
def test_a_name_that_speaks_of_the_end_is_suspected(name):
    assert looks_known_afterwards(name)


@pytest.mark.parametrize(
    "name",
    [
        "age",
        "poutcome",
        "previous_outcome",
        "prev_duration",
        "sched_arrival",
        "weekend",
        "afternoon",
        "finalist",
        "",
        "数量",
        "default",
        "month",
        "rafter",
    ],
)
def test_a_name_that_only_holds_the_letters_is_not(name):
    assert looks_known_afterwards(name) is None
