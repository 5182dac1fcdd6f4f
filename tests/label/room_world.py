"""A small pool with known truth, and people who label it."""

from __future__ import annotations

import itertools

import numpy as np

from martello.label.choose_gold import GoldPlan
from martello.label.choose_training import TrainingPlan
from martello.label.contract import ShownField, Submission, UnitView
from martello.label.room import RoomPlan, open_room
from martello.stats.training_draw import TrainingDraw, draw_random

N = 3000
RNG = np.random.default_rng(11)
SCORES = RNG.uniform(0, 1, N)
TRUTH = RNG.random(N) < SCORES
UNITS = [f"u{i}" for i in range(N)]
POSITION = {unit: i for i, unit in enumerate(UNITS)}
PLAN = RoomPlan(
    name="spam", question="Is it spam?", classes=("no", "yes"), positive="yes", purpose="gold", seed=5, overlap=0.0
)
GOLD = GoldPlan(scores=SCORES, threshold=0.5, precision=0.60)
_numbers = itertools.count()


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


class PlainSampler:
    """The simplest strategy: plainly random."""

    name, seed = "random", 7

    def __init__(self, n):
        self.n = n

    def draw(self, k, labeled, labels, *, drawn):
        assert set(labeled.tolist()) <= set(drawn.tolist())
        found = draw_random(self.n, k, drawn, seed=self.seed)
        return TrainingDraw(found.position, found.probability, found.why)


SIDE = np.where(np.arange(N) % 4 == 0, "dev", "train")


def view(position):
    return UnitView(unit=UNITS[position], fields=(ShownField(name="text", show="line", value=f"number {position}"),))


def gold_room(directory, clock=None, *, gold=GOLD, **changes):
    plan = RoomPlan(**{**{f: getattr(PLAN, f) for f in PLAN.__struct_fields__}, **changes})
    return open_room(directory, plan, UNITS, view, gold=gold, clock=clock or Clock())


def training_room(directory, clock=None, *, target=50, classes=("a", "b", "c"), sampler=None, **changes):
    fields = {
        "name": "kinds",
        "question": "Which?",
        "classes": classes,
        "purpose": "training",
        "overlap": 0.0,
        "seed": 5,
    }
    plan = TrainingPlan(side=SIDE, target=target, sampler=sampler or PlainSampler(int((SIDE == "train").sum())))
    return open_room(directory, RoomPlan(**{**fields, **changes}), UNITS, view, training=plan, clock=clock or Clock())


def truth(unit):
    return "yes" if TRUTH[POSITION[unit]] else "no"


def act(assignment, answer, *, submit_id=None, kind="label"):
    return Submission(
        submit_id=submit_id or f"act-{next(_numbers)}",
        assignment=assignment.assignment,
        unit=assignment.view.unit,
        act=kind,
        answer=answer if kind == "label" else None,
    )


def label(room, name, n=1, answer=truth):
    """Let somebody label up to n units truly; give the units."""
    done = []
    while len(done) < n and (handed := room.next(name, 1)):
        room.submit(name, act(handed[0], answer(handed[0].view.unit)))
        done.append(handed[0].view.unit)
    return done
