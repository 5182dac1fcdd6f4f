"""How often a gold set may be asked: error spent per question, what each answer reveals, and how many are left.

Pure functions over the list of past questions; who asks and where the list is kept is the ledger's business elsewhere.
Three things cost differently: a pass/fail answer reveals one bit, a number reveals as many as its digits hold, and rows
whose labels were shown can no longer judge anyone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
from scipy.stats import binom

from martello.errors import DataError
from martello.stats.checks import check_level
from martello.stats.estimate import NotEstimable
from martello.stats.power_floor import labels_for_floor

__all__ = [
    "TRIES",
    "GoldBudget",
    "GoldQuestion",
    "PairedDecision",
    "alpha_for_question",
    "answer_bits",
    "decide_paired",
    "gold_budget",
    "labels_for_questions",
]

TRIES = 5  # questions of the open-ended schedule: alpha/2, alpha/4, … alpha/32; then the gold set is renewed


class GoldQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """One question that was put to the gold set.

    Attributes
    ----------
    revealed
        ``bit`` (pass or fail), ``number`` (a score), or ``rows`` (labels of units).
    passed
        Whether the answer was a pass; None when no gate was asked.
    digits
        Decimals of a revealed number.
    rows
        Units whose labels were shown.

    Examples
    --------
    >>> GoldQuestion(revealed="number").digits
    2
    """

    revealed: Literal["bit", "number", "rows"]
    passed: bool | None = None
    digits: int = 2
    rows: int = 0


class GoldBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a gold set.

    Attributes
    ----------
    size
        Units that may still judge: those never shown.
    bits_used
        Bits revealed so far.
    alpha_next
        Error the next pass/fail question may make, or why there is none.
    questions_left
        Further pass/fail questions for which the set is large enough.

    Examples
    --------
    >>> gold_budget(600, [], rate=0.86, floor=0.80).questions_left
    30
    """

    size: int
    bits_used: int
    alpha_next: float | NotEstimable
    questions_left: int


class PairedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a proposal replaces the model it was compared with.

    Attributes
    ----------
    accepted
        The proposal is better at the error allowed.
    p_value
        Exact chance of so uneven a split, or a more uneven one, if it were no better.

    Examples
    --------
    >>> decide_paired(12, 1, alpha=0.05).accepted
    True
    """

    accepted: bool
    p_value: float


def alpha_for_question(k: int, *, level: float = 0.95, planned: int | None = None) -> float | NotEstimable:
    """Give the error that the k-th question may make, counted from 1.

    Parameters
    ----------
    k
        Number of the question.
    level
        One minus the error allowed over the life of the gold set.
    planned
        Questions declared before the first one: each gets an equal part. None halves what is left, five times.

    Assumptions
    -----------
    Answers are pass or fail, and nothing else about the gold set is seen.

    Guarantee
    ---------
    The errors of all questions add up to at most 1 - level. A gate that ends at its first pass needs no more: the only
    answers before it were fails.

    References
    ----------
    Bonferroni; Renggli et al., MLSys 2019 (ease.ml/ci).

    Examples
    --------
    >>> [round(alpha_for_question(k), 6) for k in (1, 2, 5)], alpha_for_question(3, planned=10)
    ([0.025, 0.0125, 0.001563], 0.0050000000000000044)
    >>> print(alpha_for_question(6))
    not estimable: the gold set has answered 5 questions; needs a renewed gold set
    """
    alpha = 1 - check_level(level)
    most = TRIES if planned is None else planned
    if k < 1 or most < 1:
        raise DataError("stats.question-not-counted", f"question {k} of {most}", expected="both counted from 1")
    if k > most:
        return NotEstimable(reason=f"the gold set has answered {most} questions", needs="a renewed gold set")
    return alpha / 2**k if planned is None else alpha / planned


def answer_bits(question: GoldQuestion) -> int:
    """Give what an answer revealed, in bits: each bit counts as one further adaptive pass/fail question.

    Assumptions
    -----------
    A number is shown in [0, 1] with its decimals and nothing finer.

    Guarantee
    ---------
    An upper bound on what the answer can say about the gold labels. Shown rows reveal everything about themselves: they
    leave the gold set instead.

    References
    ----------
    Renggli et al., MLSys 2019; Dwork et al., Science 2015 (description length).

    Examples
    --------
    >>> [answer_bits(GoldQuestion(revealed=what)) for what in ("bit", "number", "rows")]
    [1, 7, 0]
    """
    if question.revealed == "rows":
        return 0
    return 1 if question.revealed == "bit" else math.ceil(math.log2(10**question.digits + 1))


def labels_for_questions(
    questions: int,
    *,
    rate: float,
    floor: float,
    revealed_bits: int = 0,
    power: float = 0.8,
    level: float = 0.95,
) -> int | NotEstimable:
    """Give the gold labels that certify a share at or above a floor, while a number of questions stays answerable.

    Parameters
    ----------
    questions
        Questions the set should bear.
    rate, floor
        The true share to plan for, and the requirement.
    revealed_bits
        What models may have learned beyond "it failed again": passes and numbers, from `answer_bits`. Each bit doubles
        the histories that the error has to cover; a fully adaptive series of H questions reveals H bits.
    power
        Chance to certify at `rate`.
    level
        One minus the error over all questions.

    Assumptions
    -----------
    Independent labels of the units the claim is about.

    Guarantee
    ---------
    The exact binomial test at the divided error has the power at this sample size and every larger one.

    References
    ----------
    Renggli et al., MLSys 2019; Clopper & Pearson 1934.

    Examples
    --------
    >>> [labels_for_questions(h, rate=0.90, floor=0.80) for h in (1, 8, 32)]
    [94, 158, 203]
    >>> labels_for_questions(1, rate=0.90, floor=0.80, revealed_bits=8)
    267
    """
    histories = questions * 2.0**revealed_bits
    return labels_for_floor(rate, floor, power=power, level=1 - (1 - check_level(level)) / histories)


def gold_budget(
    size: int,
    history: Sequence[GoldQuestion],
    *,
    rate: float,
    floor: float,
    planned: int | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> GoldBudget:
    """Give what is left of a gold set after a list of questions.

    Parameters
    ----------
    size
        Units the gold set began with.
    history
        Questions so far, in order.
    rate, floor, power, level
        As in `labels_for_questions`: the effect that is planned for.
    planned
        As in `alpha_for_question`.

    Assumptions
    -----------
    The history is complete: a look that is not in it was not paid for.

    Guarantee
    ---------
    As `labels_for_questions`: fails share the error, every other bit halves it.

    References
    ----------
    Renggli et al., MLSys 2019.

    Examples
    --------
    >>> gold_budget(600, [GoldQuestion(revealed="number"), GoldQuestion(revealed="rows", rows=50)],
    ...             rate=0.86, floor=0.80).questions_left
    0
    """
    left = size - sum(question.rows for question in history)
    asked = sum(question.revealed != "rows" for question in history)
    fails = sum(question.revealed == "bit" and question.passed is False for question in history)
    bits = sum(map(answer_bits, history))
    alpha = alpha_for_question(asked + 1, level=level, planned=planned)
    return GoldBudget(
        size=left,
        bits_used=bits,
        alpha_next=alpha if isinstance(alpha, NotEstimable) else alpha / 2.0 ** (bits - fails),
        questions_left=_questions_left(left, asked, bits - fails, rate, floor, power, level),
    )


def _questions_left(
    size: int, asked: int, revealed_bits: int, rate: float, floor: float, power: float, level: float
) -> int:
    """Largest number of further questions, up to 1,000, for which the set is large enough: bisection."""
    low, high = 0, 1000
    while low < high:
        middle = (low + high + 1) // 2
        needed = labels_for_questions(
            asked + middle, rate=rate, floor=floor, revealed_bits=revealed_bits, power=power, level=level
        )
        enough = not isinstance(needed, NotEstimable) and needed <= size
        low, high = (middle, high) if enough else (low, middle - 1)
    return low


def decide_paired(only_new_right: int, only_old_right: int, *, alpha: float) -> PairedDecision:
    """Decide whether a proposal is better than the model it would replace, on the units where they differ.

    Parameters
    ----------
    only_new_right, only_old_right
        Gold units that exactly one of the two got right.
    alpha
        Error this question may make, from `alpha_for_question`.

    Assumptions
    -----------
    Independent units; each proposal costs one question whether accepted or not.

    Guarantee
    ---------
    A proposal that is no better is accepted with probability at most `alpha`, exactly; over a planned series the chance
    of any such acceptance is at most 1 - level, which is what keeps the reported score honest
    (tests/guarantees/test_certification_gold.py).

    References
    ----------
    McNemar 1947 (one-sided, exact); Blum & Hardt 2015 for why a threshold without error control is not enough.

    Examples
    --------
    >>> round(decide_paired(9, 3, alpha=0.0005).p_value, 4)
    0.073
    """
    p_value = float(binom.sf(only_new_right - 1, only_new_right + only_old_right, 0.5))
    return PairedDecision(accepted=p_value <= alpha, p_value=p_value)
