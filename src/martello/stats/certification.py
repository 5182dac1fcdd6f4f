"""Certify a requirement with the fewest labels: which units to label next, and when the answer is known.

Here lives the process a user holds in hand: claims over a declared pool go in, positions to label come out, answers go
back in, and a verdict stands as soon as the evidence allows. The draws and their evidence are
`martello.stats.weighted_stream`'s (for a plain random draw about one group, `martello.stats.count_rule`'s); the saved
form is `martello.stats.certification_record`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.stats.answers import Answers, known_labels, plain_label
from martello.stats.certification_record import (
    CertificationRecord,
    CertificationSummary,
    check_replayed,
    fingerprint,
    read_record,
)
from martello.stats.checks import check_level, check_probabilities, check_same_length
from martello.stats.claims import Claim, all_claims
from martello.stats.count_rule import count_rule_for
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.gates import lay_out
from martello.stats.label_sampler import Draws, Sampler, check_sampler
from martello.stats.labels_left import (
    GAPS,
    Forecast,
    PlannedCost,
    costs_at_distance,
    forecast_labels,
    values_around,
)
from martello.stats.martingale import Evidence
from martello.stats.pool_margin import PoolFloor
from martello.stats.sequence_interval import sequence_interval
from martello.stats.verdicts import GateWatch
from martello.stats.weighted_stream import WeightedStream

__all__ = ["Certification"]

Floats = NDArray[np.float64]
Interval = Estimate | NotEstimable


class Certification:
    """Decide whether a metric over a pool reaches a number, labelling as few units as possible.

    This is a process, not a value: `next` and `observe` change it. `to_json` freezes it at any point.

    Parameters
    ----------
    scores
        The model's scores of all units of the pool, in [0, 1], shape (N,). They steer the draw and are never trusted.
    claims
        Further claims beside `precision` and `recall`; all claims must hold together.
    precision, recall
        Requirements, in (0, 1).
    threshold
        A unit is flagged at or above it. Several, in the order declared for fixed-sequence testing: the verdict is
        about the first; `certified_thresholds` says how far the sequence has come.
    flagged
        Flags of the units, in place of `threshold`.
    slices
        Columns by name, one value per unit: every claim must also hold for each value of each column.
    floors
        By name of a claim, as `interval` names it: from which number on it is shown and up to which it is refuted, in
        place of the requirement's, so that the verdict holds of more than the pool (`martello.stats.pool_margin`).
    sampler
        ``weighted`` draws by score; ``random`` draws plainly among the units the claims are about.
    level
        One minus the error allowed for each verdict.
    seed
        Fixes every draw.
    budget
        Most labels that will ever be asked. For a plain random draw about one group it also sharpens the rule.
    known
        Labels that exist already, by position, however they were chosen. They count as facts about the pool, not as
        draws.

    Raises
    ------
    DataError
        When scores, flags or requirements are not usable; the code names which.

    Assumptions
    -----------
    The pool, its scores, thresholds and slices were fixed before the first draw; labels are the truth about their
    units. An unsure label counts against the claim.

    Guarantee
    ---------
    If the requirement does not hold over the pool, MET is ever said with probability at most 1 - level; if it holds,
    NOT MET likewise: at every number of labels, however wrong the scores are and whenever one stops (simulated in
    tests/guarantees/test_certification_errors.py). Labels are taken in the order of the draw, so which ones come back
    first does not matter.

    References
    ----------
    Waudby-Smith & Ramdas, JRSS-B 2024; Shekhar, Xu, Lipton, Liang & Ramdas, UAI 2023; Ville 1939.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> scores = rng.uniform(0.5, 1.0, 5000)
    >>> truth = rng.random(5000) < scores ** 0.25
    >>> process = Certification(scores, precision=0.80, threshold=0.5, seed=1)
    >>> while process.verdict is Verdict.UNDECIDED:
    ...     positions, probabilities = process.next(10)
    ...     process.observe(positions, truth[positions])
    >>> process.verdict
    <Verdict.MET: 'met'>
    >>> process.n_labeled < 1000
    True
    """

    def __init__(
        self,
        scores: ArrayLike,
        claims: Sequence[Claim] = (),
        *,
        seed: int,
        precision: float | None = None,
        recall: float | None = None,
        threshold: float | Sequence[float] | None = None,
        flagged: ArrayLike | None = None,
        slices: Mapping[str, ArrayLike] | None = None,
        floors: Mapping[str, PoolFloor] | None = None,
        sampler: Sampler = "weighted",
        level: float = 0.95,
        budget: int | None = None,
        known: Mapping[int, object] | None = None,
    ) -> None:
        self.scores = check_probabilities(scores, where="scores")
        self.claims = all_claims(claims, precision_at_least=precision, recall_at_least=recall)
        self.thresholds = None if threshold is None else [float(t) for t in np.atleast_1d(np.asarray(threshold))]
        self.sampler, self.level, self.seed, self.budget = check_sampler(sampler), check_level(level), seed, budget
        self.floors = dict(floors or {})
        self._gates = lay_out(
            self.scores, self.claims, thresholds=self.thresholds, flagged=flagged, slices=slices, floors=self.floors
        )
        self._start(known_labels(known or {}, len(self.scores)))

    def _start(self, known: dict[int, float], *, late: Sequence[int] = (), restarts: int = 0) -> None:
        self.restarts, self._known = restarts, known
        self._answers = Answers(known, late)
        # A restart must not replay the chances of the first start.
        own_seed = int(np.random.SeedSequence([self.seed, restarts]).generate_state(1, np.uint64)[0])
        self._stream = WeightedStream(self.scores, self._gates, known, sampler=self.sampler, seed=own_seed)
        self._watch = GateWatch(self._gates, self.level)
        plain = self.sampler == "random" and not known
        self._counts = count_rule_for(self._gates, level=self.level, budget=self.budget) if plain else None

    def next(self, k: int = 1) -> Draws:
        """Give up to k positions to label, in the order of the draw, with the probability of each.

        Fewer come back, or none, when the budget is spent, the pool is exhausted, or nothing is left to decide. Those
        that are in `labels` already (given after a restart) need no second answer.

        Examples
        --------
        >>> Certification([0.9, 0.8, 0.2], precision=0.5, threshold=0.5, seed=1).next(5).position.shape
        (2,)
        """
        if self._watch.open_gate is None:
            k = 0
        if self.budget is not None:
            k = min(k, self.budget - self._stream.n_drawn)
        draws = self._stream.draw(max(0, k))
        self._answers.ask(draws, plan=len(self._stream.plans) - 1, after=self._stream.n_used)
        self._advance(self._answers.ready)
        return draws

    def observe(self, positions: ArrayLike, labels: Iterable[object]) -> None:
        """Take answers for positions that were handed out: 1 or True, 0 or False, None for unsure; in any order.

        Good answers are kept even when others in the same call are refused.

        Raises
        ------
        DataError
            ``stats.label-not-asked``, ``stats.label-outside-classes``, ``stats.label-conflict``.

        Examples
        --------
        >>> process = Certification([0.9, 0.8, 0.2], precision=0.5, threshold=0.5, seed=1)
        >>> process.observe(process.next(2).position, [True, True])
        >>> process.verdict
        <Verdict.MET: 'met'>
        """
        try:
            self._answers.give(positions, labels)
        finally:
            self._advance(self._answers.ready)

    def _advance(self, upto: int) -> None:
        """Take ready labels in draw order, learning at the fixed counts."""
        stream = self._stream
        while stream.n_used < upto:
            start = stream.n_used
            stop = min(upto, stream.next_refit, self._answers.same_plan_until(start))
            positions, labels = self._answers.part(start, stop)
            evidence = stream.take(positions, labels, plan=self._answers.plan[start])
            if self._counts is not None:
                evidence = self._counts.take(labels)
            self._watch.watch(self._without_undefined(evidence))
            if stream.n_used == stream.next_refit:
                stream.learn(self._watch.needs(stream.distance, stream.sd))

    def _without_undefined(self, evidence: Evidence) -> Evidence:
        """A metric whose denominator may be 0 when all is labeled is neither shown nor refuted."""
        for i in np.flatnonzero(np.isinf(evidence.ship[:, -1])):
            if self._stream.ratio(self._gates.rows[i], self._answers.probabilities)[1] <= 1e-12:
                evidence.ship[i], evidence.refuse[i] = -np.inf, -np.inf
        return evidence

    @property
    def verdict(self) -> Verdict:
        """Whether the requirement holds at the first threshold; once met or not met, it stays."""
        return self._watch.own[0]

    @property
    def decided_at(self) -> int | None:
        """Labels at which the verdict fell; None while it is undecided."""
        return self._watch.decided_at[0]

    @property
    def certified_thresholds(self) -> tuple[float, ...]:
        """Thresholds certified so far by fixed-sequence testing in the declared order."""
        return tuple((self.thresholds or [])[: self._watch.certified])

    @property
    def n_labeled(self) -> int:
        """Labels taken as evidence so far."""
        return self._stream.n_used

    @property
    def pending(self) -> list[int]:
        """Positions handed out and not answered yet, in the order of the draw."""
        return self._answers.pending

    @property
    def labels(self) -> dict[int, int | None]:
        """Every label given so far, by position; None is "unsure"."""
        return {at: plain_label(value) for at, value in self._answers.labels.items()}

    @property
    def e_values(self) -> dict[str, tuple[float, float]]:
        """Logarithms of the e-values now, to ship and to refuse, by claim at the first threshold."""
        watch, gates = self._watch, self._gates
        return {
            gates.rows[i].name: (float(watch.ship[i]), float(watch.refuse[gates.refuting[i]])) for i in gates.of_gate(0)
        }

    @property
    def is_between(self) -> bool:
        """Whether a claim is known to lie between its two floors: more labels cannot decide it then."""
        return self._watch.is_between[0]

    @property
    def interval(self) -> dict[str, Interval]:
        """The confidence sequence of every claim at the first threshold."""
        return self.interval_at(0)

    def interval_at(self, index: int, *, level: float | None = None) -> dict[str, Interval]:
        """The confidence sequence of every claim at one of the thresholds, for reading perhaps at another level.

        Examples
        --------
        >>> str(Certification([0.9, 0.2], precision=0.5, threshold=0.5, seed=1).interval_at(0)["precision"])
        'not estimable: no unit was labeled; needs at least 1 label'
        """
        level = check_level(level) if level is not None else self.level
        return {self._gates.rows[i].name: self._interval(i, level) for i in self._gates.of_gate(index)}

    def _interval(self, i: int, level: float) -> Interval:
        row = self._gates.rows[i]
        if not self._stream.is_about_something(i):
            return NotEstimable(reason=f"{row.name} is about no unit of the pool", needs="at least 1 flagged unit")
        if self._counts is not None:
            return self._counts.interval(level)
        if self.n_labeled + len(self._known) == 0:
            return NotEstimable(reason="no unit was labeled", needs="at least 1 label")
        top, bottom = self._stream.ratio(row, self._answers.probabilities)
        if bottom <= 1e-12:
            return NotEstimable(reason=f"the denominator of {row.name} is 0 so far", needs="a unit that counts in it")
        low, high = sequence_interval(lambda k: self._stream.peaks(row, k), row.claim.scale, level=level)
        value = min(max(top / bottom, row.claim.scale[0]), row.claim.scale[1])
        return Estimate(
            value=value,
            low=min(low, value),
            high=max(high, value),
            level=level,
            n=self.n_labeled,
            method="confidence sequence",
        )

    def expected_costs(self, gaps: Sequence[float] = GAPS) -> dict[str, tuple[PlannedCost, ...]]:
        """What each claim at the first threshold costs if its true value is so far from the requirement.

        For the screen before labelling starts: from the scores alone, for this sampler and this pool.

        Examples
        --------
        >>> process = Certification(np.linspace(0.01, 0.99, 5000), precision=0.75, threshold=0.5, seed=1)
        >>> [(round(c.true_value, 2), c.labels) for c in process.expected_costs((0.02, 0.08))["precision"]]
        [(0.67, 229), (0.73, 2500), (0.77, 2500), (0.83, 229)]
        """
        stream, costs = self._stream, {}
        for i in self._gates.of_gate(0):
            row = self._gates.rows[i]
            bottom = stream.ratio(row, self._answers.probabilities)[1]
            k = row.claim.at_least
            distances = [(v, bottom * (v - k) / stream.sd[i]) for v in values_around(k, gaps, row.claim.scale)]
            if stream.is_about_something(i):
                remaining = stream.remaining([i])
                costs[row.name] = costs_at_distance(distances, bar=self._watch.bar, remaining=remaining)
        return costs

    @property
    def labels_left(self) -> Forecast | NotEstimable:
        """How many more labels the open question needs, once there are enough to say."""
        watch, stream = self._watch, self._stream
        if watch.open_gate is None:
            toward = watch.own[min(watch.certified, len(watch.own) - 1)]
            return Forecast(labels=0, low=0, high=0, level=1.0, toward=toward)
        rows = self._gates.of_gate(watch.open_gate)
        empty = [i for i in rows if not self._stream.is_about_something(i)]
        if empty:
            name = self._gates.rows[empty[0]].name
            return NotEstimable(reason=f"{name} is about no unit of the pool", needs="at least 1 flagged unit")
        i, _ = watch.limiting_row(stream.distance)
        row = self._gates.rows[i]
        top, bottom = stream.ratio(row, self._answers.probabilities)
        return forecast_labels(
            float(stream.distance[i]),
            self.n_labeled,
            (float(watch.ship[i]), float(watch.refuse[i])),
            bar=watch.bar,
            remaining=stream.remaining(rows),
            gap=top / bottom - row.claim.at_least if bottom > 1e-12 else math.inf,
            name=row.name,
        )

    @property
    def summary(self) -> CertificationSummary:
        """Where it stands, in one value."""
        used = self._answers.part(0, self.n_labeled)[1]
        return CertificationSummary(
            verdict=self.verdict,
            certified_thresholds=self.certified_thresholds,
            decided_at=self.decided_at,
            n_labeled=self.n_labeled,
            n_pending=len(self.pending),
            n_unsure=int(np.isnan(used).sum()),
            intervals=self.interval,
            labels_left=self.labels_left,
            level=self.level,
            sampler=self.sampler,
            seed=self.seed,
            restarts=self.restarts,
        )

    def to_json(self) -> str:
        """Give the whole process as plain JSON, without the scores.

        Examples
        --------
        >>> process = Certification([0.9, 0.8, 0.2], precision=0.5, threshold=0.5, seed=1)
        >>> text = process.to_json()
        >>> Certification.from_json(text, [0.9, 0.8, 0.2]).next(1) == process.next(1)
        True
        """
        book = self._answers
        record = CertificationRecord(
            claims=list(self.claims),
            thresholds=self.thresholds,
            floors=self.floors,
            sampler=self.sampler,
            level=self.level,
            seed=self.seed,
            budget=self.budget,
            fingerprint=fingerprint(self.scores, self._gates.kind),
            pool_size=len(self.scores),
            known=[(at, plain_label(value)) for at, value in self._known.items()],
            draws=book.position,
            probability=book.probability,
            after=book.after,
            labels=list(self.labels.items()),
            late=book.late,
            restarts=self.restarts,
        )
        return msgspec.json.encode(record).decode()

    @classmethod
    def from_json(
        cls,
        text: str | bytes,
        scores: ArrayLike,
        *,
        flagged: ArrayLike | None = None,
        slices: Mapping[str, ArrayLike] | None = None,
    ) -> Certification:
        """Go on from a saved process; scores, flags and slices come back from where they came from.

        When they changed, the evidence begins anew and `restarts` says so: labels given before stay as known facts
        about their units, which is valid however they were chosen; only their evidence is gone. Answers to units that
        were still out are kept, too.

        Raises
        ------
        DataError
            ``stats.not-a-certification``; ``stats.length-mismatch`` when the pool has another size, for then positions
            mean other units; or what the constructor raises.
        IntegrityError
            ``stats.certification-does-not-replay`` when the saved draws are not those of this pool and seed.

        Examples
        --------
        >>> process = Certification([0.9, 0.8, 0.2], precision=0.5, threshold=0.5, seed=1)
        >>> process.observe(process.next(1).position, [True])
        >>> Certification.from_json(process.to_json(), [0.9, 0.7, 0.2]).restarts
        1
        """
        record = read_record(text)
        process = cls(
            scores,
            record.claims,
            seed=record.seed,
            threshold=record.thresholds,
            flagged=flagged,
            slices=slices,
            floors=record.floors,
            sampler=record.sampler,
            level=record.level,
            budget=record.budget,
        )
        check_same_length(scores=process.scores, saved_pool=range(record.pool_size))
        known, labels = (known_labels(dict(given), record.pool_size) for given in (record.known, record.labels))
        if fingerprint(process.scores, process._gates.kind) == record.fingerprint:
            process._start(known, late=record.late, restarts=record.restarts)
            process._answers.labels.update(labels)
            process._replay(record)
        else:
            out = [at for at in dict.fromkeys([*record.late, *record.draws]) if at not in labels]
            process._start(labels, late=out, restarts=record.restarts + 1)
        return process

    def _replay(self, record: CertificationRecord) -> None:
        """Make the saved draws again, each group after as many labels as it was drawn after."""
        start = 0
        while start < len(record.draws):
            after = record.after[start]
            stop = next((i for i in range(start, len(record.draws)) if record.after[i] != after), len(record.draws))
            self._advance(after)
            draws = self._stream.draw(stop - start)
            check_replayed(record, draws, start)
            self._answers.ask(draws, plan=len(self._stream.plans) - 1, after=after)
            start = stop
        self._advance(self._answers.ready)
