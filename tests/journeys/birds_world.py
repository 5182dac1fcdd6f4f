"""A public crowd's pictures of birds: three of its people label again, the votes of all others are the scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from martello.label.choose_gold import GoldPlan
from martello.label.contract import ShownField, UnitView
from martello.label.room import Room, RoomPlan, open_room

__all__ = ["CLASSES", "THRESHOLD", "open_birds", "votes_of"]

CLASSES = ("blue grosbeak", "indigo bunting")
THRESHOLD = 0.5


def votes_of(answers: Path) -> tuple[list[str], list[int], np.ndarray]:
    """Give the pictures, the people, and who said 1 of what, shape (people, pictures)."""
    table = pq.read_table(answers)
    worker, task, label = (table[name].to_numpy() for name in ("worker", "task", "label"))
    people, row = np.unique(worker, return_inverse=True)
    pictures, column = np.unique(task, return_inverse=True)
    votes = np.full((len(people), len(pictures)), -1)
    votes[row, column] = label
    return [str(each) for each in pictures], people.tolist(), votes


def open_birds(directory: Path, *, answers: str, three: tuple[int, ...], precision: float) -> Room:
    """Open gold over all pictures: two of the three are asked, and the third where they differ."""
    pictures, people, votes = votes_of(Path(answers))
    others = [i for i, name in enumerate(people) if name not in three]

    def view(position: int) -> UnitView:
        picture = pictures[position]
        fields = (
            ShownField(name="picture", show="line", value=picture),
            ShownField(name="photo", show="image", value="one.png"),
        )
        return UnitView(unit=picture, fields=fields)

    plan = RoomPlan(
        name="birds", question="Which bird is this?", classes=CLASSES, positive=CLASSES[1], purpose="gold", overlap=1.0,
        check_share=0.0, seed=2,
    )  # fmt: skip
    gold = GoldPlan(scores=votes[others].mean(axis=0), threshold=THRESHOLD, precision=precision)
    return open_room(directory, plan, pictures, view, gold=gold)
