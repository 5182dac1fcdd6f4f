from __future__ import annotations

import numpy as np
import pytest

from label.room_world import POSITION, SIDE, UNITS, PlainSampler, act, label, training_room
from martello.errors import DataError
from martello.label.answer_row import AnswerRow
from martello.label.book import FILE_NAME, entries_on_disk
from martello.label.entries import Draw
from martello.label.room import answers_digest, settled_answers


def kind(unit):
    return "abc"[POSITION[unit] % 3]


def draws_of(directory):
    return [entry for entry in entries_on_disk(directory / FILE_NAME, "training") if isinstance(entry, Draw)]


class Watched(PlainSampler):
    """Remembers what it was told; gives no probabilities, as margin does."""

    def __init__(self, n):
        super().__init__(n)
        self.told = []

    def draw(self, k, labeled, labels, *, drawn):
        found = super().draw(k, labeled, labels, drawn=drawn)
        self.told.append((labeled.copy(), labels.copy(), len(drawn)))
        return type(found)(position=found.position, probability=None, why=found.why)


def test_it_ends_at_the_target_and_says_how_far_it_is(tmp_path):
    with training_room(tmp_path, target=50) as room:
        assert len(label(room, "ann", 20, answer=kind)) == 20
        assert room.meter().sentence == "20 of 50 labels: 30 left"
        assert len(label(room, "ann", 100, answer=kind)) == 30
        meter = room.meter()
    assert (meter.is_done, meter.n_labels, meter.n_needed, meter.verdict) == (True, 50, 50, None)
    assert {unit: found.answer for unit, found in settled_answers(tmp_path, "training").items()} == {
        unit: kind(unit) for unit in settled_answers(tmp_path, "training")
    }


def test_dev_is_drawn_in_its_share_plainly_at_random_with_its_probability(tmp_path):
    with training_room(tmp_path, target=100, sampler=Watched(int((SIDE == "train").sum()))) as room:
        label(room, "ann", 100, answer=kind)
    dev = [draw for draw in draws_of(tmp_path) if SIDE[draw.position] == "dev"]
    train = [draw for draw in draws_of(tmp_path) if SIDE[draw.position] == "train"]
    assert abs(len(dev) - len(train) / 3) <= 1  # a quarter of the pool is dev
    n_dev = int((SIDE == "dev").sum())
    assert [draw.probability for draw in dev] == [1 / (n_dev - i) for i in range(len(dev))]
    assert {draw.probability for draw in train} == {None}
    assert len({draw.unit for draw in [*dev, *train]}) == len(dev) + len(train)


def test_every_dev_unit_is_as_likely_as_any_other(tmp_path):
    counts = np.zeros(len(UNITS))
    for seed in range(20):
        with training_room(tmp_path / str(seed), target=40, seed=seed) as room:
            label(room, "ann", 8, answer=kind)
        for draw in draws_of(tmp_path / str(seed)):
            counts[draw.position] += SIDE[draw.position] == "dev"
    halves = counts[SIDE == "dev"].reshape(2, -1).sum(axis=1)
    # Under plain random draws the halves differ by a normal amount with variance at most the number of draws.
    assert abs(halves[0] - halves[1]) < 4 * np.sqrt(counts.sum())
    assert counts.max() <= 6


def test_the_sampler_learns_settled_train_answers_and_nothing_else(tmp_path):
    sampler = Watched(int((SIDE == "train").sum()))
    train = np.flatnonzero(SIDE == "train")
    with training_room(tmp_path, target=80, sampler=sampler) as room:
        for n in range(80):
            handed = room.next("ann", 1)[0]
            room.submit("ann", act(handed, kind(handed.view.unit), kind="unsure" if n % 7 == 0 else "label"))
    labeled, labels, n_drawn = sampler.told[-1]
    assert labels.tolist() == [int(train[at]) % 3 for at in labeled]
    assert n_drawn >= len(labeled) > 10
    assert [n for _, _, n in sampler.told] == sorted(n for _, _, n in sampler.told)


def test_a_reopened_room_draws_on_where_it_was(tmp_path):
    with training_room(tmp_path / "whole", target=60) as room:
        whole = label(room, "ann", 60, answer=kind)
    broken = []
    while len(broken) < 60:
        with training_room(tmp_path / "broken", target=60) as room:
            broken += label(room, "ann", min(13, 60 - len(broken)), answer=kind)
    assert set(broken) == set(whole)
    assert answers_digest(tmp_path / "broken", "training") == answers_digest(tmp_path / "whole", "training")


def test_a_models_answers_teach_on_train_and_are_no_answers_on_dev(tmp_path):
    rows = [AnswerRow(unit=unit, annotator="gpt", answer=kind(unit), author="model") for unit in UNITS[:40]]
    with training_room(tmp_path, target=500) as room:
        assert room.take_rows(rows).n_taken == 40
    settled = settled_answers(tmp_path, "training")
    assert set(settled) == {unit for unit in UNITS[:40] if SIDE[POSITION[unit]] == "train"}
    assert {found.probability for found in settled.values()} <= {None} | {
        draw.probability for draw in draws_of(tmp_path)
    }


def test_a_sampler_that_fails_is_heard_and_tried_again(tmp_path):
    class Failing(PlainSampler):
        fails = True

        def draw(self, *given, **named):
            if self.fails:
                raise DataError("test.broken", "the sampler broke")
            return super().draw(*given, **named)

    sampler = Failing(int((SIDE == "train").sum()))
    with training_room(tmp_path, sampler=sampler) as room:
        with pytest.raises(DataError, match="the sampler broke"):
            room.next("ann", 1)
        sampler.fails = False
        assert len(room.next("ann", 1)) == 1


def test_a_pool_that_runs_out_is_said(tmp_path):
    with training_room(tmp_path, target=10_000, lease_seconds=1e9) as room:
        rows = [AnswerRow(unit=unit, annotator="eve", answer=kind(unit)) for unit in UNITS[:-5]]
        room.take_rows(rows)
        assert len(label(room, "ann", 100, answer=kind)) == 5
        assert room.next("ann", 1) == []
        meter = room.meter()
    assert meter.is_done
    assert "nothing is left to label" in meter.sentence
