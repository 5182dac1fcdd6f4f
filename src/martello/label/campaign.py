"""One campaign in memory: how acts, votes, draws and leases move each other.

Every change goes through here under the room's lock and comes out as entries for the book (`drain`); the same entries
read back give the same campaign. Nothing here touches the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from martello.label.book import Lease
from martello.label.choose_fixed import FixedChooser, FixedPlan
from martello.label.choose_gold import Correction, GoldChooser, GoldPlan, round_for
from martello.label.choose_training import TrainingChooser, TrainingPlan
from martello.label.entries import Act, Draw, Drop, Entry, How, Settlement, Withdrawal
from martello.label.plan import RoomPlan
from martello.label.queue import Held, Queue
from martello.label.tally import Tally
from martello.label.votes import Outcome, count_votes, is_check_moment, is_shared, order_of

__all__ = ["Campaign", "Chooser", "begin_campaign", "written"]

Chooser = GoldChooser | FixedChooser | TrainingChooser

# Somebody who was here within a day can still be asked for a second opinion.
_PRESENT_SECONDS = 86_400.0
_SWEEP_SECONDS = 60.0
_TRAINING_AHEAD = 16


class Campaign:
    """The state of one campaign. Not safe for several threads: the room has the lock.

    Parameters
    ----------
    units, position_of
        The pool, and where each unit is in it.
    chooser
        What draws.
    plan
        What is asked, and how often.
    target
        Labels wanted, for training only.
    clock
        Gives seconds since the epoch.
    """

    def __init__(
        self,
        units: Sequence[str],
        position_of: Mapping[str, int],
        chooser: Chooser,
        plan: RoomPlan,
        *,
        target: int | None,
        clock: Callable[[], float],
    ) -> None:
        self.units, self._position_of, self.chooser, self._clock = units, position_of, chooser, clock
        self._plan, self._checks, self._seed, self._target = plan, dict(plan.checks), plan.seed, target
        self.tally = Tally(self._checks)
        self.queue = Queue(lease_seconds=plan.lease_seconds, has_seen=self._has_seen, check=self._check_for)
        self.for_owner: dict[str, None] = {}
        self.n_corrections = 0
        self._order: dict[str, Draw] = {}  # draws that stand, by unit
        self._present: dict[str, float] = {}
        self._handed: dict[str, int] = {}
        self._checks_of: dict[str, list[str]] = {}
        self._swept = self._clock()
        self._is_dry = False  # the last time draws were wanted, there were none
        self._journal: list[Entry] = []
        self._leases: list[Lease] = []
        self._ended: list[str] = []

    # --- in and out of the book --------------------------------------------------------------------------------------

    def load(self, entries: Iterable[Entry], leases: Iterable[Lease]) -> None:
        """Take up what the book holds, and begin a new round of evidence when the pool or the claims changed."""
        for entry in entries:
            self.tally.apply(entry)
        if not isinstance(self.chooser, TrainingChooser):
            round_, is_new = round_for(self.tally, self.chooser, self._at())
            if is_new:
                self._note(round_)
            self.chooser.begin(round_, self._position_of)
        settled = {
            self._position_of[u]: self.chooser.code(s.answer)
            for u, s in self.tally.settled.items()
            if u in self._position_of
        }
        self.chooser.replay(self.tally.draws, settled)
        self._order = {draw.unit: draw for draw in self.tally.draws}
        self._meet_again()
        for lease in leases:
            self._keep(lease)
        for unit in [*self._order, *self.tally.votes]:
            if unit in self._position_of:
                self.weigh(unit)

    def drain(self) -> tuple[list[Entry], list[Lease], list[str]]:
        """Give what is to be written since the last time: entries, new leases, ended ones."""
        out = (self._journal, self._leases, self._ended)
        self._journal, self._leases, self._ended = [], [], []
        return out

    def _note(self, entry: Entry) -> None:
        self._journal.append(entry)
        self.tally.apply(entry)

    def _meet_again(self) -> None:
        """Remember who was here lately."""
        for name, person in self.tally.people.items():
            self._handed[name] = person.n_answers + person.n_unsure + person.n_skipped
            if person.here_at is not None:
                self._present[name] = datetime.fromisoformat(person.here_at).timestamp()
        self._forget_the_gone(self._clock(), _PRESENT_SECONDS)

    def _keep(self, lease: Lease) -> None:
        position, now = self._position_of.get(lease.unit), self._clock()
        if position is None or lease.until <= now or self._has_seen(lease.annotator, position):
            self._ended.append(lease.assignment)
            return
        self._present.setdefault(lease.annotator, now)
        # Idle already: whoever comes back to a restarted room gets their own units again.
        self.queue.keep(Held(lease.assignment, lease.annotator, position, lease.until, 0.0, lease.why, lease.is_check))

    # --- handing out -------------------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether no more units are handed out."""
        reached = self._target is not None and len(self.tally.settled) >= self._target
        return reached or self.chooser.is_decided or self.is_spent

    @property
    def is_spent(self) -> bool:
        """Whether there is nothing more to hand out or to wait for."""
        return self._is_dry and self.queue.n_open == 0 and not self.for_owner

    @property
    def n_settled(self) -> int:
        """Settled units: of the draws that stand for gold, all for training."""
        if self._target is not None:
            return len(self.tally.settled)
        return sum(unit in self.tally.settled for unit in self._order)

    def take(self, annotator: str, k: int, holding: Sequence[str]) -> list[Held]:
        """Lease up to k units to an annotator."""
        if self.is_done:
            return []
        taken, ended = self.queue.take(annotator, k, holding, self._clock())
        if not taken and self._settle_for_the_gone():
            self.top_up(k)
            taken, _ = self.queue.take(annotator, k, holding, self._clock())
        self._ended += ended
        self._leases += [self._lease(held) for held in taken]
        return taken

    def wanted_draws(self, at_least: int = 1) -> int:
        """Say how many units should be drawn now so that nobody waits."""
        if self.is_done:
            return 0
        if not isinstance(self.chooser, TrainingChooser):
            ahead = 2 * len(self._present) + at_least
            return ahead if self.queue.n_untouched < ahead else 0
        missing = (self._target or 0) - len(self.tally.settled) - self.queue.n_open
        is_low = self.queue.n_untouched < _TRAINING_AHEAD and not self._is_dry
        return max(0, min(missing, 2 * _TRAINING_AHEAD)) if is_low else 0

    def top_up(self, at_least: int = 1) -> None:
        """Draw gold units ahead, and take what is known of them already."""
        while (k := self.wanted_draws(at_least)) > 0:
            draws = self.chooser.prepare(k)()
            self.add_draws(draws)
            if not draws:
                return

    def add_draws(self, draws: Sequence[Draw]) -> None:
        """Take draws that were made; none when some were wanted means that the pool or the budget is spent."""
        self.chooser.accept(draws)
        for draw in draws:
            self._note(draw)
            self._enter(draw)
        self._is_dry = not draws and not self.chooser.is_held_up

    def _enter(self, draw: Draw) -> None:
        self._order[draw.unit] = draw
        known = self.tally.settled.get(draw.unit)
        if known is None:
            self._weigh(draw.unit)
        else:
            self.chooser.settle(draw.position, self.chooser.code(known.answer))

    def _lease(self, held: Held) -> Lease:
        return Lease(
            assignment=held.assignment, annotator=held.annotator, unit=self.units[held.position], until=held.until,
            why=held.why, is_check=held.is_check,
        )  # fmt: skip

    def _has_seen(self, annotator: str, position: int) -> bool:
        return self.units[position] in self.tally.seen.get(annotator, ())

    def _check_for(self, annotator: str) -> int | None:
        n = self._handed[annotator] = self._handed.get(annotator, 0) + 1
        if not self._checks or not is_check_moment(annotator, n, seed=self._seed, share=self._plan.check_share):
            return None
        if annotator not in self._checks_of:
            by_chance = sorted(self._checks, key=lambda unit: order_of(annotator, unit, seed=self._seed), reverse=True)
            self._checks_of[annotator] = by_chance
        left = self._checks_of[annotator]
        while left:
            position = self._position_of[left.pop()]
            if not self._has_seen(annotator, position) and self.queue.held(annotator, position) is None:
                return position
        return None

    def arrive(self, annotator: str) -> None:
        """Note that somebody is here, and can be asked."""
        now, is_new = self._clock(), annotator not in self._present
        self._present[annotator] = now
        if is_new:  # one more who can break a tie
            for unit in list(self.for_owner):
                self._weigh(unit)
        if now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            if self._forget_the_gone(now, _PRESENT_SECONDS):
                self._weigh_all()

    def _settle_for_the_gone(self) -> bool:
        """Wait no more for people who are away when the evidence is held up and somebody stands idle for it."""
        if not self.chooser.is_held_up:
            return False
        return self._forget_the_gone(self._clock(), self._plan.lease_seconds) and self._weigh_all()

    def _weigh_all(self) -> bool:
        for unit in [unit for unit in self._order if unit not in self.tally.settled]:
            self.weigh(unit)
        return True

    def _forget_the_gone(self, now: float, seconds: float) -> bool:
        gone = [name for name, at in self._present.items() if now - at > seconds]
        for name in gone:
            del self._present[name]
        return bool(gone)

    # --- acts and what they settle -----------------------------------------------------------------------------------

    def is_check(self, unit: str) -> bool:
        """Whether a unit is a hidden check."""
        return unit in self._checks

    def act(self, act: Act, *, weigh: bool = True) -> None:
        """Take an act that was checked; `weigh` false leaves what it settles for later."""
        self._note(act)
        self._ended += self.queue.end(act.annotator, self._position_of[act.unit])
        if weigh:
            self.arrive(act.annotator)
            self.weigh(act.unit)

    def weigh(self, unit: str) -> None:
        """Settle a unit if its votes do."""
        if unit not in self.tally.settled and (not self.is_check(unit) or unit in self._order):
            self._weigh(unit)

    def withdraw(self, act: Act) -> Held:
        """Take an act back and hand its unit to the same annotator again."""
        at, position = self._at(), self._position_of[act.unit]
        self._note(Withdrawal(submit_id=act.submit_id, unit=act.unit, annotator=act.annotator, at=at))
        settled = self.tally.settled.get(act.unit)
        if settled is not None and settled.how not in ("owner", "check"):
            outcome = self._outcome(act.unit)
            if (outcome.state, outcome.answer) != ("settled", settled.answer):
                self._note(Settlement(unit=act.unit, answer=None, how="reopened", by=None, at=at))
                self._correct(self.chooser.reopen(position))
        self.weigh(act.unit)
        return self.hand_again(act.annotator, act.unit)

    def hand_again(self, annotator: str, unit: str) -> Held:
        """Lease a unit to somebody who had it before."""
        position, draw = self._position_of[unit], self._order.get(unit) or self.tally.drawn.get(unit)
        held = self.queue.held(annotator, position)
        if held is None:
            why = draw.why if draw else next((d.why for d in reversed(self.tally.draws)), "")
            held = self.queue.hand(annotator, position, self._clock(), why, self.is_check(unit))
            self._leases.append(self._lease(held))
        return held

    def adjudicate(self, unit: str, answer: str, owner: str) -> None:
        """Settle a unit by the owner's word, whatever the votes said."""
        self._settle(unit, answer, "owner", owner)

    def _outcome(self, unit: str) -> Outcome:
        votes = self.tally.counted_votes(unit, models=self._models_count(unit))
        seen = self.tally.have_seen(unit)
        can_ask = sum(name not in seen for name in self._present)
        # Nobody was asked yet: somebody will come.
        can_ask = can_ask if votes or seen else max(1, can_ask)
        return count_votes(votes, shared=is_shared(unit, seed=self._seed, share=self._plan.overlap), can_ask=can_ask)

    def _weigh(self, unit: str) -> None:
        position, draw = self._position_of[unit], self._order.get(unit)
        if unit in self._checks:
            self._settle(unit, self._checks[unit], "check", None)
            return
        outcome = self._outcome(unit)
        if outcome.state == "settled":
            self._settle(unit, outcome.answer, outcome.how, None)
        elif outcome.state == "wants":
            self.for_owner.pop(unit, None)
            if draw is not None:
                self.queue.want(position, order=draw.draw, wants=outcome.wants, why=draw.why)
        else:
            self.queue.want(position, order=0, wants=0, why="")
            self.for_owner[unit] = None

    def _models_count(self, unit: str) -> bool:
        """A model's answer may teach; it never judges."""
        return isinstance(self.chooser, TrainingChooser) and not self.chooser.is_dev(self._position_of[unit])

    def _settle(self, unit: str, answer: str | None, how: How, by: str | None) -> None:
        position = self._position_of[unit]
        self._note(Settlement(unit=unit, answer=answer, how=how, by=by, at=self._at()))
        self.for_owner.pop(unit, None)
        self.queue.want(position, order=0, wants=0, why="")
        if unit in self._order or self._target is not None:
            self._correct(self.chooser.settle(position, self.chooser.code(answer)))

    def _correct(self, correction: Correction | None) -> None:
        """Take the draws that a corrected answer leads to in place of those it undid."""
        if correction is None:
            return
        self.n_corrections += 1
        self._is_dry = False
        for draw in self.tally.draws[correction.first :]:
            self._order.pop(draw.unit, None)
            self.for_owner.pop(draw.unit, None)
            self.queue.want(draw.position, order=0, wants=0, why="")
        if len(self.tally.draws) > correction.first:
            self._note(Drop(round=self.chooser.round, first=correction.first, at=self._at()))
        for draw in correction.draws:
            self._note(draw)
        for draw in correction.draws:
            self._enter(draw)

    def _at(self) -> str:
        return written(self._clock())


def begin_campaign(
    units: Sequence[str],
    position_of: Mapping[str, int],
    plan: RoomPlan,
    *,
    gold: GoldPlan | FixedPlan | None,
    training: TrainingPlan | None,
    clock: Callable[[], float],
) -> Campaign:
    """Give the campaign of a plan, before anything is loaded."""
    chooser: Chooser

    def now() -> str:
        return written(clock())

    if gold is not None:
        chooser = (
            GoldChooser(gold, units, positive=str(plan.positive), seed=plan.seed, now=now)
            if isinstance(gold, GoldPlan)
            else FixedChooser(gold, units, classes=plan.classes, seed=plan.seed, now=now)
        )
        return Campaign(units, position_of, chooser, plan, target=None, clock=clock)
    assert training is not None
    chooser = TrainingChooser(training, units, classes=plan.classes, seed=plan.seed, now=now)
    return Campaign(units, position_of, chooser, plan, target=training.target, clock=clock)


def written(seconds: float) -> str:
    """Give a time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
