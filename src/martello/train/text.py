"""Text as numbers: terms weighted by TF-IDF (words and their pairs, or short runs of characters), and four counts.

Terms are counted in plain Python by one function for one text and for fifty thousand, and sums over terms go in the
order of the vocabulary, so that a text scores the same alone and in a batch.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from martello.train.arrays import Sparse

__all__ = ["MOST_TERMS", "Terms", "fit_terms", "runs", "text_counts", "tokens", "words"]

Floats = npt.NDArray[np.float64]
Split = Callable[[str | None], Iterable[str]]

#: Terms kept, the most frequent first; more cost space and gain nothing measurable on the sets of the benchmark.
MOST_TERMS = 30_000

#: A term must stand in this many texts: seen once it teaches nothing, and a rare name would be carried into the
#: release.
_FEWEST_TEXTS = 2

_RUNS = (2, 3, 4)

_TOKEN = re.compile(r"\w+|[!?$£€%]")
_LONG_NUMBER = re.compile(r"[0-9]{3,}")


def tokens(text: str) -> list[str]:
    """Split a text into words and telling marks, in lower case; numbers of three digits and more become zeros.

    Examples
    --------
    >>> tokens("WIN $1000 now!!")
    ['win', '$', '0000', 'now', '!', '!']
    """
    return [_zeros(token) for token in _TOKEN.findall(text.lower())]


def _zeros(token: str) -> str:
    """Forget which digits a long number has; how many they are tells a telephone number from a price."""
    return _LONG_NUMBER.sub(lambda found: "0" * len(found[0]), token) if len(token) > 2 else token


def words(text: str | None) -> Iterable[str]:
    """Give the words of a text, then its pairs of neighboring words."""
    found = tokens(text) if text else []
    return [*found, *(f"{first} {second}" for first, second in pairwise(found))]


def runs(text: str | None) -> Iterable[str]:
    """Give the runs of 2, 3 and 4 characters between blanks, a blank standing before and after.

    They see through misspellings, endings and joined words, and keep all marks.

    Examples
    --------
    >>> runs("at")
    [' a', 'at', 't ', ' at', 'at ', ' at ']
    """
    padded = [f" {_zeros(word)} " for word in text.lower().split()] if text else []
    return [word[i : i + n] for word in padded for n in _RUNS for i in range(len(word) - n + 1)]


class Terms:
    """A fitted vocabulary with the weight of each term.

    Attributes
    ----------
    vocabulary
        Terms in order of the alphabet; their places are the columns.
    idf
        Weight of each term, shape (len(vocabulary),).
    split
        How a text becomes terms: `words` or `runs`.
    """

    def __init__(self, vocabulary: Sequence[str], idf: Floats, split: Split = words) -> None:
        self._split = split
        self.vocabulary = tuple(vocabulary)
        self.idf = idf
        self._place = {
            term: (place, weight) for place, (term, weight) in enumerate(zip(vocabulary, idf.tolist(), strict=True))
        }

    def encode(self, texts: Sequence[str | None]) -> Sparse:
        """Give the TF-IDF rows of texts: (1 + log count) x idf, each row of length 1; missing text is an empty row."""
        return self.weigh([Counter(self._split(text)) for text in texts])

    def weigh(self, counts: Sequence[Counter[str]]) -> Sparse:
        """Give the TF-IDF rows of counted texts."""
        lengths: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        place = self._place
        for counted in counts:
            cells = sorted((*place[term], count) for term, count in counted.items() if term in place)
            weights = [weight if count == 1 else weight * (1.0 + math.log(count)) for _, weight, count in cells]
            norm = math.sqrt(sum([weight * weight for weight in weights]))
            lengths.append(len(cells))
            columns.extend([column for column, _, _ in cells])
            values.extend([weight / norm for weight in weights])
        return Sparse(
            n=len(counts),
            width=len(self.vocabulary),
            rows=np.repeat(np.arange(len(counts)), lengths),
            columns=np.array(columns, dtype=np.int64),
            values=np.array(values, dtype=np.float64),
        )


def fit_terms(texts: Sequence[str | None], split: Split = words) -> tuple[Terms, Sparse]:
    """Choose the vocabulary from training texts and give it with their rows.

    The weight of a term is 1 + log((1 + n) / (1 + texts with it)) (Salton and Buckley 1988, smoothed).
    """
    counts = [Counter(split(text)) for text in texts]
    spread: Counter[str] = Counter()
    for counted in counts:
        spread.update(counted.keys())
    often = sorted((-n, term) for term, n in spread.items() if n >= _FEWEST_TEXTS)[:MOST_TERMS]
    vocabulary = sorted(term for _, term in often)
    idf = [1.0 + math.log((1 + len(texts)) / (1 + spread[term])) for term in vocabulary]
    terms = Terms(vocabulary, np.array(idf, dtype=np.float64), split)
    return terms, terms.weigh(counts)


def text_counts(texts: Sequence[str | None]) -> Floats:
    """Count characters, and the shares of capitals, digits and marks among them, shape (n, 4); NaN for missing text."""
    return np.array([_counts(text) for text in texts], dtype=np.float64).reshape(len(texts), 4)


def _counts(text: str | None) -> tuple[float, float, float, float]:
    if not text:
        return (math.nan, math.nan, math.nan, math.nan)
    n = len(text)
    digits = sum(map(str.isdigit, text))
    marks = n - sum(map(str.isalnum, text)) - sum(map(str.isspace, text))
    return (float(n), sum(map(str.isupper, text)) / n, digits / n, marks / n)
