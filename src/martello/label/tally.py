"""What the entries of the book mean together: who said what, what is settled, what was drawn and still stands.

A fold over entries, live and after a restart the same. It decides nothing: `martello.label.votes` has the rules.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable

from martello.label.entries import Act, Draw, Drop, Entry, How, Round, Settlement, Withdrawal

__all__ = ["Person", "Tally", "VoteCast"]

VoteCast = tuple[str, str | None, bool]  # annotator, answer, whether a person


class Person:
    """Running counts of one annotator."""

    def __init__(self) -> None:
        self.n_answers = self.n_unsure = self.n_skipped = 0
        self.agreed = self.compared = 0
        self.right = self.checked = 0
        self.seconds = array("f")
        self.last_at: str | None = None
        self.here_at: str | None = None  # of the last act on the page

    def count(self, act: Act, by: int) -> None:
        """Count an act, or take it back with by=-1."""
        if act.act == "label":
            self.n_answers += by
        elif act.act == "unsure":
            self.n_unsure += by
        else:
            self.n_skipped += by


class Tally:
    """Fold entries into what stands.

    Parameters
    ----------
    checks
        Known answers of the hidden check units.
    """

    def __init__(self, checks: dict[str, str]) -> None:
        self._checks = checks
        self.votes: dict[str, list[VoteCast]] = {}
        self.skips: dict[str, set[str]] = {}
        self.people: dict[str, Person] = {}
        self.seen: dict[str, set[str]] = {}
        self.settled: dict[str, Settlement] = {}
        self.rounds: list[Round] = []
        self.draws: list[Draw] = []  # of the newest round, those that stand
        self.drawn: dict[str, Draw] = {}  # every unit that ever was, by its newest draw
        self.sent: set[str] = set()  # ids of acts from the page, withdrawn ones too
        self.withdrawn: set[str] = set()
        self._acts: dict[tuple[str, str], Act] = {}  # only checks and skips: votes have their own place

    @classmethod
    def of(cls, entries: Iterable[Entry], checks: dict[str, str] | None = None) -> Tally:
        """Fold a whole book."""
        tally = cls(checks or {})
        for entry in entries:
            tally.apply(entry)
        return tally

    def apply(self, entry: Entry) -> None:
        """Take one entry."""
        match entry:
            case Act():
                self._act(entry)
            case Withdrawal():
                self._withdraw(entry)
            case Settlement():
                self._settle(entry)
            case Draw():
                self.draws.append(entry)
                self.drawn[entry.unit] = entry
            case Drop():
                del self.draws[entry.first :]
            case Round():
                self.rounds.append(entry)
                self.draws = []

    def _settle(self, entry: Settlement) -> None:
        if entry.how == "reopened":
            self.settled.pop(entry.unit, None)
        else:
            self.settled[entry.unit] = entry

    def _act(self, act: Act) -> None:
        person = self.people.setdefault(act.annotator, Person())
        if not act.is_imported:
            self.sent.add(act.submit_id)
            person.here_at = act.at
        person.last_at = act.at or person.last_at
        if act.seconds is not None:
            person.seconds.append(act.seconds)
        self.seen.setdefault(act.annotator, set()).add(act.unit)
        person.count(act, 1)
        if act.is_check:
            self._check(person, act, 1)
            self._acts[act.annotator, act.unit] = act
        elif act.act == "skip":
            self.skips.setdefault(act.unit, set()).add(act.annotator)
            self._acts[act.annotator, act.unit] = act
        else:
            vote = (act.annotator, act.answer, act.author == "person")
            votes = self.votes.setdefault(act.unit, [])
            self._compare(vote, votes, 1)
            votes.append(vote)

    def _withdraw(self, entry: Withdrawal) -> None:
        who, unit = entry.annotator, entry.unit
        person = self.people[who]
        self.seen[who].discard(unit)
        self.withdrawn.add(entry.submit_id)
        act = self._acts.pop((who, unit), None)
        if act is not None and act.is_check:
            self._check(person, act, -1)
            person.count(act, -1)
        elif act is not None:
            self.skips[unit].discard(who)
            person.count(act, -1)
        else:
            vote = next(vote for vote in self.votes[unit] if vote[0] == who)
            self.votes[unit].remove(vote)
            self._compare(vote, self.votes[unit], -1)
            person.n_answers -= vote[1] is not None
            person.n_unsure -= vote[1] is None

    def _check(self, person: Person, act: Act, by: int) -> None:
        if act.act == "label":
            person.checked += by
            person.right += by * (self._checks.get(act.unit) == act.answer)

    def _compare(self, vote: VoteCast, others: list[VoteCast], by: int) -> None:
        """Count agreement on labels between people."""
        for other in others:
            if vote[2] and other[2] and vote[1] is not None and other[1] is not None:
                for name in (vote[0], other[0]):
                    self.people[name].compared += by
                    self.people[name].agreed += by * (vote[1] == other[1])

    def counted_votes(self, unit: str, *, models: bool) -> list[str | None]:
        """Give the votes that may settle a unit: people's, or where there are none and it is allowed, models'."""
        votes = self.votes.get(unit, [])
        people = [answer for _, answer, is_person in votes if is_person]
        return people if people or not models else [answer for _, answer, _ in votes]

    def said(self, annotator: str, unit: str) -> tuple[str, str | None] | None:
        """Give act and answer of an annotator on a unit, if there is one that stands."""
        if unit not in self.seen.get(annotator, ()):
            return None
        act = self._acts.get((annotator, unit))
        if act is not None:
            return act.act, act.answer
        answer = next(answer for name, answer, _ in self.votes[unit] if name == annotator)
        return ("unsure" if answer is None else "label"), answer

    def have_seen(self, unit: str) -> set[str]:
        """Give who has voted on a unit or skipped it."""
        return {name for name, _, _ in self.votes.get(unit, [])} | self.skips.get(unit, set())

    def how(self, unit: str) -> How | None:
        """Say how a unit was settled, if it is."""
        found = self.settled.get(unit)
        return found.how if found else None

    @property
    def digest(self) -> str:
        """A hash that changes exactly when a settled answer does."""
        content = hashlib.sha256()
        for unit in sorted(self.settled):
            answer = self.settled[unit].answer
            content.update(f"{len(unit)}:{unit}{'?' if answer is None else f'={len(answer)}:{answer}'}".encode())
        return content.hexdigest()
