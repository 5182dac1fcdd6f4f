"""The meter of whatever campaign is open: what is copied under the room's lock, and read from the copy outside it."""

from __future__ import annotations

from collections.abc import Callable

from martello.label.campaign import Campaign
from martello.label.choose_fixed import FixedChooser, FixedPlan
from martello.label.choose_gold import GoldChooser, GoldPlan
from martello.label.choose_training import TrainingPlan
from martello.label.contract import Meter
from martello.label.fixed_meter import FixedMeter
from martello.label.meter import GoldMeter, training_meter

__all__ = ["CampaignMeter"]


class CampaignMeter:
    """Read where a campaign stands; the last reading is kept while nothing changes. One thread at a time."""

    def __init__(self, *, gold: GoldPlan | FixedPlan | None, training: TrainingPlan | None) -> None:
        self._target = training.target if training else 0
        self._fixed = FixedMeter(gold) if isinstance(gold, FixedPlan) else None
        self._certified = GoldMeter(gold.reading if isinstance(gold, GoldPlan) else None)
        self._last: tuple[object, Meter] | None = None

    def look(self, campaign: Campaign) -> Callable[[], Meter]:
        """Copy what the meter needs, quickly and under the room's lock; give the work that reads it."""
        chooser, era = campaign.chooser, (id(campaign), campaign.n_corrections)
        n_settled, n_owner, is_spent = campaign.n_settled, len(campaign.for_owner), campaign.is_spent
        if isinstance(chooser, GoldChooser):
            process, replay = chooser.frozen()
            key: object = (era, process.n_labeled, n_settled, n_owner, is_spent)
            return lambda: self._kept(
                key,
                lambda: self._certified.read(
                    process, replay, era=era, n_settled=n_settled, n_for_owner=n_owner, is_spent=is_spent
                ),
            )
        if isinstance(chooser, FixedChooser) and (fixed := self._fixed) is not None:
            (positions, codes), era = chooser.answered(), (id(campaign), chooser.n_changes)
            key = (era, len(codes), n_settled, n_owner, is_spent)
            return lambda: self._kept(
                key,
                lambda: fixed.read(
                    positions, codes, era=era, n_settled=n_settled, n_for_owner=n_owner, is_spent=is_spent
                ),
            )
        return lambda: training_meter(n_settled, self._target, n_for_owner=n_owner, is_spent=is_spent)

    def _kept(self, key: object, read: Callable[[], Meter]) -> Meter:
        if self._last is None or self._last[0] != key:
            self._last = (key, read())
        return self._last[1]
