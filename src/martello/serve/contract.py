"""What this room needs of a release: something with a name, fields, classes, and one function that decides.

The corridor opens a release and hands it over as a `Served`; nothing here knows how a model is stored or a value read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from martello.errors import DataError

if TYPE_CHECKING:  # the serving process needs the fields' shape, not the package that reads `martello.toml`
    from martello.spec.schema import Field

__all__ = ["Decided", "EventsTaken", "Featured", "Served"]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What the release says to one input.

    `values` are the typed values the model saw (JSON scalars), `scores` one finite number per class, `output` one of
    the classes.
    """

    values: dict[str, Any]
    scores: tuple[float, ...]
    output: str


class EventsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a delivery of events: counts, and a fault for each event that was not taken."""

    accepted: int
    duplicates: int
    late: int
    faults: tuple[DataError, ...]


class Served(Protocol):
    """A release opened for serving.

    `positive` and `threshold` are None unless the task is binary with a threshold; then `output` is `positive` where
    its score reaches the threshold.
    """

    @property
    def release_id(self) -> str:
        """Id of the release, written on every decision."""

    @property
    def name(self) -> str:
        """Short name of the task."""

    @property
    def question(self) -> str:
        """The question the release answers for one unit."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The declared inputs."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The possible outputs, in the order of the scores."""

    @property
    def positive(self) -> str | None:
        """The output that counts as yes."""

    @property
    def threshold(self) -> float | None:
        """The score of `positive` from which the output is yes."""

    def decide(self, record: Mapping[str, object]) -> Decided:
        """Answer one input.

        Raises
        ------
        MartelloError
            With a code ``features.*`` when the input is not as declared.
        """


@runtime_checkable
class Featured(Served, Protocol):
    """A release whose model also sees features, computed as of a moment from the input and from past events."""

    @property
    def definition(self) -> str:
        """Hash of everything that decides what the model sees, written on every decision."""

    @property
    def sources(self) -> Mapping[str, Mapping[str, str]]:
        """The columns of events with their types, by source."""

    def decide_at(self, record: Mapping[str, object], now: int) -> Decided:
        """Answer one input as of a moment (microseconds, UTC), from events known strictly before it.

        Raises
        ------
        MartelloError
            As `decide`, or ``features.read-too-early``.
        """

    def take_events(self, source: str, events: Sequence[Mapping[str, object]], now: int | None) -> EventsTaken:
        """Take events of one of the sources; always called from the same thread.

        Raises
        ------
        EnvironmentFault
            ``features.state-unavailable``: then nothing was taken.
        """
