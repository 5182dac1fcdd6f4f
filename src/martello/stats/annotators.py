"""Labels from the answers of several annotators, and how good each annotator is.

Here live majority vote and the model of Dawid and Skene: posterior of each unit, prior of the classes, confusion of
each annotator. Which of the two to believe is `aggregation_choice`'s business; neither looks at a truth.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import sparse

from martello.stats.annotations import Annotations
from martello.stats.checks import Floats, Ints, check_level
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import Linearized, bounded_interval

__all__ = [
    "FEWEST_ANNOTATORS",
    "TOO_FEW_ANNOTATORS",
    "DawidSkene",
    "MajorityVote",
    "annotator_accuracies",
    "dawid_skene",
    "majority_vote",
]

#: Fewer annotators than this do not show by their disagreements who is right.
FEWEST_ANNOTATORS = 3
TOO_FEW_ANNOTATORS = NotEstimable(
    reason="two annotators who differ do not show which of them is right", needs="a third annotator, or check units"
)
#: Two posteriors closer than this are a tie.
_TIE = 1e-9
#: Smallest probability of an answer, so that one answer never forbids a class for good.
_LEAST = 1e-10
#: An annotator's answers count at least this share of themselves, however unsure the units are.
_LEAST_KNOWN = 0.1


class MajorityVote(msgspec.Struct, frozen=True, kw_only=True):
    """The answer most annotators gave.

    Attributes
    ----------
    label
        Class code of each unit, shape (n_units,); -1 where classes tie or nobody answered.
    share
        Share of the unit's answers that the leading class has, shape (n_units,); NaN where nobody answered.
    """

    label: Ints
    share: Floats


class DawidSkene(msgspec.Struct, frozen=True, kw_only=True):
    """What the model of Dawid and Skene makes of the answers.

    Attributes
    ----------
    posterior
        Chance of each class for each unit, shape (n_units, n_classes); the prior where nobody answered.
    label
        The likeliest class, shape (n_units,); -1 where classes tie or nobody answered.
    prior
        Share of each class, shape (n_classes,).
    confusion
        Chance of each answer given the truth, shape (n_annotators, truth, answer), shrunk toward `pooled`.
    pooled
        The same over all annotators together, shape (truth, answer).
    rounds, is_converged
        Rounds of EM, and whether posteriors had come to rest.
    """

    posterior: Floats
    label: Ints
    prior: Floats
    confusion: Floats
    pooled: Floats
    rounds: int
    is_converged: bool


def majority_vote(annotations: Annotations) -> MajorityVote:
    """Give the answer that most annotators gave each unit; a tie is unknown, never the first.

    Assumptions
    -----------
    Annotators are equally good and err independently; otherwise the vote is still what it is, a count.

    Guarantee
    ---------
    The label depends neither on the order of rows nor on the codes of the classes.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> majority_vote(check_annotations([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 1])).label.tolist()
    [1, -1]
    """
    votes = annotations.votes()
    answered = annotations.per_unit()
    with np.errstate(invalid="ignore"):
        share = votes.max(axis=1) / answered
    return MajorityVote(label=_leading(votes, answered), share=share)


def _leading(weight: Floats, answered: Ints) -> Ints:
    """Give the class of the greatest weight, -1 where two share it or nobody answered."""
    ordered = np.partition(weight, -2, axis=1)
    unknown = (ordered[:, -1] - ordered[:, -2] < _TIE) | (answered == 0)
    return np.where(unknown, -1, weight.argmax(axis=1))


def dawid_skene(
    annotations: Annotations, *, shrinkage: float = 4.0, tolerance: float = 1e-5, max_rounds: int = 500
) -> DawidSkene:
    """Fit the model of Dawid and Skene by expectation-maximization.

    Parameters
    ----------
    annotations
        Who said what.
    shrinkage
        Answers that are added to each annotator's account of each class, spread as all annotators together answer. 0 is
        the model as published.
    tolerance
        EM stops when no posterior moves by more than this.
    max_rounds
        EM stops after so many rounds at the latest, and says so.

    Assumptions
    -----------
    Given the truth, annotators err independently of one another, each with a confusion of their own that is the same
    on all units; most answers are right. Units that are hard for everyone break the first of these, and then posteriors
    are surer than they should be.

    Guarantee
    ---------
    Starts from the shares of the votes, so the same answers give the same result in any order. Without shrinkage each
    round is the published one. The default was chosen among 0 to 20 in simulated tasks of 2 to 10 classes; there the
    model falls behind neither the majority nor itself without shrinkage, which does fall behind the majority where
    annotators answered little (tests/guarantees/test_agreement_coverage.py).

    References
    ----------
    Dawid, A. P. and Skene, A. M. (1979), Applied Statistics 28, 20–28, eq. 2.3–2.5.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> answers = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]]
    >>> found = check_annotations(np.repeat(range(6), 3), [0, 1, 2] * 6, np.ravel(answers))
    >>> dawid_skene(found).label.tolist()
    [1, 1, 0, 0, 1, 0]
    """
    classes = annotations.n_classes
    cells = annotations.n_annotators * classes
    cell = annotations.annotator * classes + annotations.answer
    # Rows are units, columns what an annotator can say: both steps are products with this matrix.
    answers = sparse.coo_array((np.ones(len(cell)), (annotations.unit, cell)), shape=(annotations.n_units, cells))
    said = answers.tocsr()
    heard = said.T.tocsr()
    votes, answered = annotations.votes(), annotations.per_unit()
    asked = answered > 0
    posterior = votes / np.maximum(answered, 1)[:, None]
    rounds, moved = 0, np.inf
    while rounds < max_rounds and moved > tolerance:
        prior, confusion, pooled = _maximize(heard, posterior, asked, annotations, shrinkage)
        new = _expect(said, prior, confusion)
        rounds, moved = rounds + 1, float(np.abs(new - posterior).max())
        posterior = new
    return DawidSkene(
        posterior=posterior,
        label=_leading(posterior, answered),
        prior=prior,
        confusion=confusion,
        pooled=pooled,
        rounds=rounds,
        is_converged=moved <= tolerance,
    )


def _maximize(
    heard: sparse.csr_array, posterior: Floats, asked: npt.NDArray[np.bool_], annotations: Annotations, shrinkage: float
) -> tuple[Floats, Floats, Floats]:
    """Give prior, confusion (annotator, truth, answer) and pooled confusion that fit the posteriors best."""
    classes = annotations.n_classes
    prior = posterior[asked].mean(axis=0)
    counts = np.asarray(heard @ posterior).reshape(annotations.n_annotators, classes, classes).transpose(0, 2, 1)
    pooled = _rows(counts.sum(axis=0))
    return prior, _rows(counts + shrinkage * pooled), pooled


def _rows(counts: Floats) -> Floats:
    """Make each row add up to 1, none of its cells quite 0."""
    least = np.maximum(counts, _LEAST)
    return np.asarray(least / least.sum(axis=-1, keepdims=True), dtype=np.float64)


def _expect(said: sparse.csr_array, prior: Floats, confusion: Floats) -> Floats:
    """Give the posterior of each unit."""
    annotators, classes, _ = confusion.shape
    by_answer = np.log(confusion).transpose(0, 2, 1).reshape(annotators * classes, classes)
    log = np.asarray(said @ by_answer) + np.log(np.maximum(prior, _LEAST))
    log -= log.max(axis=1, keepdims=True)
    chance = np.exp(log)
    return np.asarray(chance / chance.sum(axis=1, keepdims=True), dtype=np.float64)


def annotator_accuracies(
    annotations: Annotations, found: DawidSkene, *, level: float = 0.95
) -> tuple[Estimate | NotEstimable, ...]:
    """Give each annotator's chance to answer right, as the model sees it.

    Parameters
    ----------
    annotations, found
        The answers, and what `dawid_skene` made of them.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Those of `dawid_skene`; the other annotators' confusions are taken as known. Where annotators err alike, or nearly
    all agree, the model cannot see errors, and only check units with known answers can.

    Guarantee
    ---------
    The value is the mean posterior of what the annotator said. The interval is the exact binomial one for as many
    answers as are known to be right or wrong: the fewer, the less sure the posteriors are. It covers about `level` from
    five annotators on, and with three in all less: .91 at a level of .95, since their confusions stand on one another
    (tests/guarantees/test_agreement_coverage.py).

    References
    ----------
    Louis, T. A. (1982), Journal of the Royal Statistical Society B 44, 226–233, for the information that is missing.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> answers = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]]
    >>> table = check_annotations(np.repeat(range(6), 3), [0, 1, 2] * 6, np.ravel(answers))
    >>> [one.value > 0.9 for one in annotator_accuracies(table, dawid_skene(table))]
    [True, True, False]
    """
    check_level(level)
    if annotations.n_annotators < FEWEST_ANNOTATORS:
        return (TOO_FEW_ANNOTATORS,) * annotations.n_annotators
    right = found.posterior[annotations.unit, annotations.answer]
    size = annotations.n_annotators
    n = np.bincount(annotations.annotator, minlength=size)
    total = np.bincount(annotations.annotator, weights=right, minlength=size)
    unsure = np.bincount(annotations.annotator, weights=right * (1 - right), minlength=size)
    return tuple(_accuracy(int(n[i]), float(total[i]), float(unsure[i]), level) for i in range(size))


def annotator_confusion(
    annotations: Annotations, found: DawidSkene, annotator: int, *, level: float = 0.95
) -> tuple[tuple[Estimate | NotEstimable, ...], ...]:
    """Give the chance of each answer given each truth for one annotator, with intervals and without shrinkage.

    Parameters
    ----------
    annotations, found
        The answers, and what `dawid_skene` made of them.
    annotator
        Code of the annotator.
    level
        Confidence of each two-sided interval by itself.

    Assumptions
    -----------
    As for `annotator_accuracies`.

    Guarantee
    ---------
    Rows are truths, columns answers, as in `DawidSkene.confusion`. Each interval is the exact binomial one for the part
    of the answers of which the truth is known. It covers about `level` from eight annotators on, .92 with five and .83
    with three in all at a level of .95 (tests/guarantees/test_agreement_coverage.py).

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> answers = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]]
    >>> table = check_annotations(np.repeat(range(6), 3), [0, 1, 2] * 6, np.ravel(answers))
    >>> print(annotator_confusion(table, dawid_skene(table), 2)[0][0])
    0.682 (0.090 to 0.995)
    """
    check_level(level)
    if annotations.n_annotators < FEWEST_ANNOTATORS:
        return ((TOO_FEW_ANNOTATORS,) * annotations.n_classes,) * annotations.n_classes
    rows = annotations.annotator == annotator
    chance, answer = found.posterior[annotations.unit[rows]], annotations.answer[rows]
    said = np.eye(annotations.n_classes)[answer]
    counts, n = chance.T @ said, chance.sum(axis=0)
    unsure = (chance * (1 - chance)).sum(axis=0)
    return tuple(
        tuple(_cell(float(counts[k, j]), float(n[k]), float(unsure[k]), level) for j in range(annotations.n_classes))
        for k in range(annotations.n_classes)
    )


def _cell(count: float, n: float, unsure: float, level: float) -> Estimate | NotEstimable:
    if n < 1:
        return NotEstimable(reason="the annotator met less than one unit of this class", needs="more answers")
    return _known_share(count / n, n, 1 - unsure / n, level)


def _accuracy(n: int, total: float, unsure: float, level: float) -> Estimate | NotEstimable:
    if n == 0:
        return NotEstimable(reason="the annotator answered nothing", needs="at least 1 answer")
    value = min(max(total / n, 0.0), 1.0)
    spread = n * value * (1 - value)
    return _known_share(value, float(n), 1 - unsure / spread if spread > _TIE else 1.0, level)


def _known_share(value: float, n: float, known: float, level: float) -> Estimate | NotEstimable:
    """Give the exact interval of a share among n answers of which a part is known to be one or the other."""
    value, size = min(max(value, 0.0), 1.0), n * max(known, _LEAST_KNOWN)
    rows = max(round(n), 2)  # of draws alike; with one there would be no degree of freedom to correct for
    found = bounded_interval(
        Linearized(
            value=value,
            variance=value * (1 - value) / size,
            n=rows,
            n_clusters=rows,
            equivalent_n=size,
            simple_variance=value * (1 - value) / n,
        ),
        level=level,
    )
    if isinstance(found, NotEstimable):
        return found
    method = "posterior counts of Dawid–Skene, exact for the answers known"
    return msgspec.structs.replace(found, method=method, n=max(round(n), 1))
