"""Column names that suggest a value is known only after the decision: the one list of them.

A name proves nothing. It is enough to ask the person who knows: is this known before the decision?
"""

from __future__ import annotations

import re

__all__ = ["looks_known_afterwards", "name_words"]

_IS_OVER = "a length of time is known when it is over"
_IS_THE_END = "it speaks of how things ended"
_IS_LATER = "it speaks of something later"
_IS_AN_OPINION = "it is often given together with the answer"
_IS_A_MODEL = "it looks like what another model said"

_WORDS: dict[str, str] = {
    **dict.fromkeys(("duration", "elapsed", "delay", "delayed"), _IS_OVER),
    **dict.fromkeys(("outcome", "outcomes", "result", "results", "final", "closed", "ended", "end"), _IS_THE_END),
    **dict.fromkeys(("completed", "finished", "resolution", "resolved", "settled", "settlement"), _IS_THE_END),
    **dict.fromkeys(("cancelled", "canceled", "cancellation", "churned", "refunded", "returned"), _IS_THE_END),
    **dict.fromkeys(("after", "afterwards", "later", "subsequent", "actual", "arrival"), _IS_LATER),
    **dict.fromkeys(("rating", "ratings", "stars", "verdict", "satisfaction"), _IS_AN_OPINION),
    **dict.fromkeys(("prediction", "predicted", "pred"), _IS_A_MODEL),
}
# "previous outcome" and "expected delay" are known in time.
_IN_TIME = frozenset(("previous", "prev", "prior", "past", "former", "scheduled", "sched", "planned", "expected"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")


def name_words(name: str) -> tuple[str, ...]:
    """Take a column name apart into lower-case words.

    Examples
    --------
    >>> name_words("ClosedAt"), name_words("Recommended IND"), name_words("dep_delay")
    (('closed', 'at'), ('recommended', 'ind'), ('dep', 'delay'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


def looks_known_afterwards(name: str) -> str | None:
    """Say why a column's name suggests that its value is known only after the decision; None when it does not.

    Examples
    --------
    >>> looks_known_afterwards("duration")
    'a length of time is known when it is over'
    >>> looks_known_afterwards("previous_outcome") is None
    True
    """
    words = name_words(name)
    if _IN_TIME.intersection(words):
        return None
    return next((_WORDS[word] for word in words if word in _WORDS), None)
