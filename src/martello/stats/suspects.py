"""Units whose label is likely wrong, to be looked at again by a person.

Two witnesses can speak against a label: the annotators, weighted by how well they answer elsewhere, and a model that
did not learn from the unit. Here units are ranked; nothing is relabeled.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from martello.stats.checks import (
    Bools,
    Floats,
    Ints,
    check_codes,
    check_probabilities,
    check_same_length,
    check_scores_by_class,
)

__all__ = ["Suspect", "find_suspects"]


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A unit worth a second look.

    Attributes
    ----------
    unit
        Its row.
    label, instead
        Its class code, and the one the witnesses would rather have.
    doubt
        Chance that the label is wrong, as the witness puts it; of two witnesses the greater.
    reason
        Who speaks against the label.
    """

    unit: int
    label: int
    instead: int
    doubt: float
    reason: Literal["annotators", "scores", "annotators and scores"]


def find_suspects(
    label: npt.ArrayLike,
    *,
    posterior: npt.ArrayLike | None = None,
    scores: npt.ArrayLike | None = None,
    doubt: float = 0.5,
    limit: int | None = None,
) -> tuple[Suspect, ...]:
    """Rank the units whose label a witness contradicts, most doubtful first.

    The annotators contradict a label when its posterior leaves more than `doubt`, or a likelier class. The scores
    contradict it when another class reaches the mean score it has on units of its own label, and none that does so
    scores higher; a unit that is as sure for its own label is left in peace.

    Parameters
    ----------
    label
        Class code of each unit, shape (n,); -1 where there is none: such units are no suspects.
    posterior
        Chance of each class given the answers, shape (n, K), as of `dawid_skene`.
    scores
        Scores of a model for each class, shape (n, K) with rows that sum to 1, or of yes for two classes, shape (n,);
        from a model that did not learn from the unit itself.
    doubt
        How doubtful a label has to be by the posterior; below 0.5 also labels that are the likeliest of all.
    limit
        Greatest number of suspects; all when left out.

    Assumptions
    -----------
    Posteriors as for `dawid_skene`. Scores: wrong labels depend on the class and not on the unit, and scores are out of
    fold; a model that learned a wrong label defends it.

    Guarantee
    ---------
    Deterministic; units of equal doubt come in the order of their rows. Doubt ranks; it is a probability only as far as
    posterior and scores are.

    References
    ----------
    Northcutt, C. G., Jiang, L. and Chuang, I. L. (2021), Journal of Artificial Intelligence Research 70, 1373–1411,
    eq. 1–2, for the thresholds on scores.

    Examples
    --------
    >>> found = find_suspects([0, 1, 1, 0], scores=[0.1, 0.9, 0.2, 0.3])
    >>> [(one.unit, one.instead, one.reason) for one in found]
    [(2, 0, 'scores')]
    """
    codes = np.asarray(label)
    witnesses: list[tuple[str, Floats, Bools, Ints]] = []
    if posterior is not None:
        chance = check_scores_by_class(posterior, where="posterior")
        known = _known(codes, chance)
        witnesses.append(("annotators", chance, *_by_posterior(chance, codes, known, doubt)))
    if scores is not None:
        table = _by_class(scores)
        known = _known(codes, table)
        witnesses.append(("scores", table, *_by_scores(table, codes, known)))
    found: dict[int, Suspect] = {}
    for name, table, against, instead in witnesses:
        for unit in np.flatnonzero(against).tolist():
            now = Suspect(
                unit=unit,
                label=int(codes[unit]),
                instead=int(instead[unit]),
                doubt=float(1 - table[unit, codes[unit]]),
                reason="annotators" if name == "annotators" else "scores",
            )
            before = found.get(unit)
            found[unit] = now if before is None else _both(before, now)
    ranked = sorted(found.values(), key=lambda one: (-one.doubt, one.unit))
    return tuple(ranked[:limit])


def _both(first: Suspect, second: Suspect) -> Suspect:
    surer = second if second.doubt > first.doubt else first
    return msgspec.structs.replace(surer, reason="annotators and scores")


def _by_class(scores: npt.ArrayLike) -> Floats:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1:
        return check_scores_by_class(array)
    yes = check_probabilities(array, where="scores")
    return np.column_stack([1 - yes, yes])


def _known(label: npt.NDArray[np.generic], table: Floats) -> Bools:
    check_same_length(label=label, rows=table)
    codes = check_codes(label.astype(np.intp) + 1 if label.dtype.kind in "ib" else label, table.shape[1] + 1)
    return codes > 0


def _by_posterior(chance: Floats, label: Ints, known: Bools, doubt: float) -> tuple[Bools, Ints]:
    rows, own = np.arange(len(label)), np.where(known, label, 0)
    others = chance.copy()
    others[rows, own] = -1.0
    contradicted = (others.max(axis=1) > chance[rows, own] + 1e-9) | (1 - chance[rows, own] > doubt)
    return known & contradicted, others.argmax(axis=1)


def _by_scores(table: Floats, label: Ints, known: Bools) -> tuple[Bools, Ints]:
    """Give the units whose label lies off the diagonal of the confident joint, and the class they lie in there."""
    classes = table.shape[1]
    # A class without a label has no mean score, and so no say.
    usual = [table[label == k, k].mean() if np.any(label == k) else np.inf for k in range(classes)]
    confident = np.where(table >= np.array(usual) - 1e-12, table, -1.0)
    likeliest = confident.argmax(axis=1)
    return known & (confident.max(axis=1) >= 0) & (likeliest != label), likeliest
