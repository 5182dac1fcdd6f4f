"""The meter as many people look at it at once: computed by one of them, and never for more than a fifth of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from martello.label.contract import LabelingRoom, Meter

__all__ = ["MeterView"]

_REST = 4.0  # a meter that took a second to compute stands for four


class MeterView:
    """Give a room's meter, at most as old as it took to compute, times four.

    Parameters
    ----------
    room
        The campaign.
    clock
        Gives seconds, to measure how long a look took.
    """

    def __init__(self, room: LabelingRoom, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._room, self._clock = room, clock
        self._looking = threading.Lock()
        self._last: Meter | None = None
        self._good_until = 0.0

    def now(self) -> Meter:
        """Give the meter; while another looks, the one before."""
        last = self._last
        if not self._looking.acquire(blocking=last is None):
            assert last is not None
            return last
        try:
            if self._last is None or self._clock() >= self._good_until:
                began = self._clock()
                self._last = self._room.meter()
                self._good_until = self._clock() + _REST * (self._clock() - began)
            return self._last
        finally:
            self._looking.release()
