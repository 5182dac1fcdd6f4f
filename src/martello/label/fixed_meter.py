"""Where gold of a fixed size stands, in numbers and in one sentence: how many are answered, and how it looks so far.

Such intervals hold at one look, at the end: until then they are shown as what they are at so many labels, and the gate
alone gives the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from martello.label.choose_fixed import FixedPlan
from martello.label.contract import ClaimMeter, Meter
from martello.label.meter import Track, claim_words, waiting_words
from martello.stats.estimate import Estimate

__all__ = ["FixedMeter"]


class FixedMeter:
    """Read gold of a fixed size for people, and remember the picture between two looks. One thread at a time."""

    def __init__(self, plan: FixedPlan) -> None:
        self._plan, self._track = plan, Track()

    def read(
        self,
        positions: Sequence[int],
        codes: Sequence[int | None],
        *,
        era: object = None,
        n_settled: int,
        n_for_owner: int,
        is_spent: bool,
    ) -> Meter:
        """Give the meter.

        Parameters
        ----------
        positions, codes
            Units answered, in the order of the draw, up to the first that is not.
        era
            Anything that is another thing when an answer was corrected: the picture then begins anew.
        n_settled, n_for_owner
            Drawn units with a settled answer, and those that wait for the owner.
        is_spent
            Whether there is nothing more to hand out.
        """
        size, n, read = self._plan.size, len(positions), self._plan.read
        for count in self._track.missing(n, era):
            self._track.note(count, read(positions[:count], codes[:count]))
        found = read(positions, codes)
        self._track.reach(n, found)
        claims = self._track.claims(self._plan.agreed, found)
        is_done = n == size
        return Meter(
            purpose="gold",
            sentence=_sentence(claims, n, n_settled, size, n_for_owner),
            n_labels=n_settled,
            n_needed=size,
            n_needed_range=None,
            claims=claims,
            verdict=None,
            is_done=is_done or is_spent,
            saved="",
            next_step="martello run" if is_done else "",
        )


def _sentence(claims: Sequence[ClaimMeter], n: int, n_settled: int, size: int, n_for_owner: int) -> str:
    if n == size:
        return f"All {size:,} labels are there, and the gate judges: {_words(claims)}"
    so_far = f"At {n:,} of {size:,} labels: {_words(claims)}; " if n else ""
    return f"{so_far}{size - n_settled:,} labels left, then the gate judges{waiting_words(n_for_owner)}"


def _words(claims: Sequence[ClaimMeter]) -> str:
    """Everyone's claims, and of those in slices the one that stands worst."""
    sliced = sorted((claim for claim in claims if " where " in claim.name), key=_margin)[:1]
    shown = [claim for claim in claims if " where " not in claim.name or claim in sliced]
    return "; ".join(claim_words(claim.name, claim.floor, claim.estimate, "") for claim in shown)


def _margin(claim: ClaimMeter) -> float:
    return claim.estimate.low - claim.floor if isinstance(claim.estimate, Estimate) else -1.0
