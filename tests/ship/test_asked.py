"""How gold was asked, in words that leave nothing out."""

from __future__ import annotations

import msgspec
import pytest

from martello.records import BoughtGold
from martello.ship.asked import asked_rows, asked_sentences, asked_short

ONE_BY_ONE = BoughtGold(
    n_pool=8872, n_labels=390, n_unsure=0, budget=2000, sampler="weighted", seed=1, restarts=0, holds_for="pool",
    floors={"precision": 0.8, "recall": 0.3},
)  # fmt: skip
CHANGES = [
    {},
    {"holds_for": "population", "floors": {"precision": 0.83, "precision | sex=F": 0.85}},
    {"n_unsure": 7},
    {"restarts": 2},
    {"budget": None},
    {"is_fixed": True, "budget": 390, "floors": {}, "sampler": "random", "holds_for": "population"},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_labels_and_pool_are_named_everywhere(changes):
    bought = msgspec.structs.replace(ONE_BY_ONE, **changes)
    for text in (" ".join(asked_short(bought)), " ".join(asked_sentences(bought)), str(asked_rows(bought))):
        assert "390" in text
        assert "8,872" in text


def test_of_whom_the_verdict_speaks_is_said():
    assert "about these units themselves" in " ".join(asked_sentences(ONE_BY_ONE))
    population = msgspec.structs.replace(ONE_BY_ONE, holds_for="population", floors={"precision": 0.83})
    told = " ".join(asked_sentences(population))
    assert "about the population" in told
    assert "83.0 % precision had to be shown of the pool" in told


def test_what_is_not_known_of_gold_is_said_only_where_it_is_not_known():
    assert "no curve" in " ".join(asked_sentences(ONE_BY_ONE))
    fixed = msgspec.structs.replace(ONE_BY_ONE, is_fixed=True)
    told = " ".join(asked_sentences(fixed))
    assert "no curve" not in told
    assert "fixed before the first answer" in told
    assert "whatever moment" not in told


def test_unsure_answers_and_restarts_are_told():
    told = " ".join(asked_sentences(msgspec.structs.replace(ONE_BY_ONE, n_unsure=1, restarts=2)))
    assert "unsure of 1 unit; that counts as an error" in told
    assert "began anew 2 times" in told
