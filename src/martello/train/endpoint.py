"""A third-party AI as a classifier: any OpenAI-compatible chat-completions endpoint, asked about one row at a time.

Training chooses examples for the prompt and, on other training rows, how far to trust the answers; what is stored is
the prompt. Where the endpoint offers log probabilities they are the scores; else the shares of votes, which without
`calibrate` are no probabilities. An answer that is no class is refused by name and counted, never replaced by a guess.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from martello.errors import PluginError, SpecError
from martello.spec.schema import Field
from martello.train.arrays import probabilities
from martello.train.endpoint_client import Client, Usage
from martello.train.endpoint_prompt import MOST_ALTERNATIVES, Nonsense, Prompt, Reply
from martello.train.learner import UNIT, Columns, Fitted, Floats, Settings, TrainingData
from martello.train.mixture import fit_mixture, mix

__all__ = ["Endpoint", "EndpointOptions"]

Count = Annotated[int, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
Amount = Annotated[float, Meta(ge=0)]

_FILE = "endpoint.json"

#: A key is sent without encryption to this machine only.
_SAFE = re.compile(r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])")

#: Chances stay this far from 0 and 1 before they become logits.
_NEAREST = 1e-6


class EndpointOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is declared about an endpoint.

    Attributes
    ----------
    url, model
        Base address (``https://host/v1``) and the model's name there.
    question
        The question of the task.
    key_env
        Name of the environment variable with the key; empty: none is sent.
    shots
        Examples of each class in the prompt, from training rows.
    calibrate
        Training rows that are asked about to fit how far the answers are trusted; 0: scores as they come.
    votes
        Times each row is asked where log probabilities are not used.
    logprobs
        Whether log probabilities are asked for.
    temperature, max_tokens, body
        Sent along; `body` is laid over the whole body, and null takes a name out of it.
    concurrency, timeout, retries, pause
        Calls at once, seconds to wait, attempts beyond the first, and the pause before the second.
    reask
        Times a nonsensical answer is asked for again.
    cache
        Folder where answers are kept; empty: none.
    prompt_price, completion_price, budget
        Price of a million tokens of each kind, and the most all calls of one client may cost.
    """

    url: Annotated[str, Meta(pattern=r"^https?://")]
    model: Annotated[str, Meta(min_length=1)]
    question: Annotated[str, Meta(min_length=1)]
    key_env: str = ""
    shots: Count = 2
    calibrate: Count = 100
    votes: AtLeastOne = 1
    logprobs: bool = True
    temperature: float = 0.0
    max_tokens: AtLeastOne = 50
    body: dict[str, Any] = {}
    concurrency: AtLeastOne = 8
    timeout: Annotated[float, Meta(gt=0)] = 60.0
    retries: Count = 5
    pause: Amount = 0.5
    reask: Count = 1
    cache: str = ".martello/endpoint"
    prompt_price: Amount = 0.0
    completion_price: Amount = 0.0
    budget: Amount | None = None


class _Stored(msgspec.Struct, frozen=True):
    options: EndpointOptions
    shots: list[tuple[dict[str, Any], int]]
    weight: float
    offsets: list[float]


class Endpoint:
    """Ask an endpoint.

    Parameters
    ----------
    **options
        The fields of `EndpointOptions`; needed to fit, not to load.

    Raises
    ------
    SpecError
        ``train.endpoint-options`` when one is missing, unknown or of the wrong type.
    """

    name = "endpoint"

    def __init__(self, **options: Any) -> None:
        try:
            self._options = msgspec.convert(options, EndpointOptions) if options else None
        except msgspec.ValidationError as err:
            raise _bad_options(str(err)) from err
        if self._options and self._options.key_env and not _SAFE.match(self._options.url):
            raise _bad_options("a key would be sent without encryption")

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Choose the examples, and ask about other training rows how far the answers are to be trusted."""
        if self._options is None:
            raise _bad_options("url, model and question are not declared")
        raws = 1 if len(data.classes) == 2 else len(data.classes)
        order = np.random.default_rng(seed).permutation(len(data))
        chosen = _examples(data, order, self._options.shots)
        shots = [(_row(data.columns, int(i)), int(data.codes[i])) for i in chosen]
        stored = _Stored(self._options, shots, 1.0, [0.0] * raws)
        found: Settings = {"model": self._options.model}
        rest = np.sort(order[~np.isin(order, chosen)][: self._options.calibrate])
        if len(rest):
            stored, cost = _calibrated(stored, data, rest)
            found["cost_of_1000_rows"] = 1000.0 * cost
        return Fitted(settings=found, files={_FILE: msgspec.json.encode(stored)})

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> Asking:
        """Make the scorer, which asks the endpoint."""
        return Asking(msgspec.json.decode(files[_FILE], type=_Stored), fields, classes)


class Asking:
    """Score rows by asking about each.

    Attributes
    ----------
    usage
        What it has cost so far.
    """

    def __init__(self, stored: _Stored, fields: tuple[Field, ...], classes: tuple[str, ...]) -> None:
        self._options = options = stored.options
        self._prompt = Prompt(options.question, fields, classes, stored.shots)
        self._weight = np.array([stored.weight])
        self._offsets = np.array(stored.offsets)
        self._client = Client(
            options.url,
            key_env=options.key_env,
            cache=options.cache,
            timeout=options.timeout,
            retries=options.retries,
            pause=options.pause,
            concurrency=options.concurrency,
            prices=(options.prompt_price, options.completion_price),
            budget=options.budget,
        )

    @property
    def usage(self) -> Usage:
        """Give what it has cost so far."""
        return self._client.usage

    def scores(self, columns: Columns) -> Floats:
        """Ask about each row, several at once.

        Raises
        ------
        PluginError
            ``train.endpoint-nonsense`` when some rows have no answer that is a class; all rows are asked about first,
            and the answers to the others are kept.
        """
        return probabilities(mix([self.logits(columns)], self._weight, self._offsets))

    def logits(self, columns: Columns) -> Floats:
        """Give the logits of the answers as they come, shape (n, 1 or K)."""
        n = len(columns[self._prompt.fields[0].name])
        rows = [_row(columns, i) for i in range(n)]
        names = [msgspec.json.encode(row) for row in rows]
        each = dict(zip(names, rows, strict=True))  # equal rows are asked about once
        with ThreadPoolExecutor(self._options.concurrency) as pool:
            answers = dict(zip(each, pool.map(self._row_or_nonsense, each.values()), strict=True))
        found = [answers[name] for name in names]
        nonsense = Counter(str(one) for one in found if isinstance(one, Nonsense))
        if nonsense:
            raise self._nonsense(nonsense, n)
        shares = np.array(found).reshape(n, len(self._prompt.classes))
        shares = np.clip(shares, _NEAREST, 1.0 - _NEAREST)
        # `math.log` on each value: the last bit of the array function may depend on the place in the array
        logs = np.array([[math.log(share) for share in row] for row in shares.tolist()]).reshape(shares.shape)
        return np.asarray(logs[:, 1:] - logs[:, :1] if shares.shape[1] == 2 else logs)

    def _row_or_nonsense(self, row: Mapping[str, Any]) -> Floats | Nonsense:
        try:
            return self._shares(row)
        except Nonsense as err:
            return err

    def _shares(self, row: Mapping[str, Any]) -> Floats:
        """Give the chances by log probabilities, or the shares of the votes."""
        first = self._ask(row, vote=0)
        chances = self._prompt.chances(first) if self._options.logprobs else None
        if chances is not None:
            return chances
        replies = [first, *(self._ask(row, vote=vote) for vote in range(1, self._options.votes))]
        answers = [self._prompt.answer(reply) for reply in replies]
        counts = np.bincount(answers, minlength=len(self._prompt.classes))
        return np.asarray((counts + 1.0 / len(counts)) / (counts.sum() + 1.0))  # a vote is never certainty

    def _ask(self, row: Mapping[str, Any], *, vote: int) -> Reply:
        body = self._body(row, vote)
        for _ in range(self._options.reask):
            try:
                return self._client.ask(body, self._prompt.answer)
            except Nonsense:
                continue
        return self._client.ask(body, self._prompt.answer)

    def _body(self, row: Mapping[str, Any], vote: int) -> dict[str, Any]:
        options = self._options
        body = {
            "model": options.model,
            "messages": self._prompt.messages(row),
            "response_format": self._prompt.response_format(),
            "temperature": options.temperature,
            "max_tokens": options.max_tokens,
            "seed": vote,
        }
        if options.logprobs and self._prompt.codes != self._prompt.classes:
            body |= {"logprobs": True, "top_logprobs": MOST_ALTERNATIVES}
        return {name: value for name, value in (body | options.body).items() if value is not None}

    def _nonsense(self, kinds: Counter[str], n: int) -> PluginError:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        return PluginError(
            "train.endpoint-nonsense",
            f"{kinds.total()} of {n} rows have no answer that is a class: {told}",
            where=f"{self._options.model} at {self._options.url}",
            expected="one of: " + ", ".join(self._prompt.codes),
            fix="use a model that keeps to response_format json_schema, or raise max_tokens; sound answers are kept",
        )


def _calibrated(stored: _Stored, data: TrainingData, rows: Any) -> tuple[_Stored, float]:
    """Fit weight and offsets on rows that are no examples, and give what a row costs."""
    some = data.take(rows)
    asking = Asking(stored, data.fields, data.classes)
    logits = asking.logits(some.columns)
    weights, offsets = fit_mixture([logits], some.codes, some.weights)
    stored = msgspec.structs.replace(stored, weight=float(weights[0]), offsets=offsets.tolist())
    return stored, asking.usage.worth / len(some)


def _examples(data: TrainingData, order: Any, shots: int) -> list[int]:
    """Choose so many rows of each class, class after class in turn."""
    by_class: list[Sequence[int]] = [order[data.codes[order] == k][:shots].tolist() for k in range(len(data.classes))]
    return [rows[turn] for turn in range(shots) for rows in by_class if turn < len(rows)]


def _row(columns: Columns, i: int) -> dict[str, Any]:
    return {name: values[i] for name, values in columns.items() if name != UNIT}


def _bad_options(why: str) -> SpecError:
    return SpecError(
        "train.endpoint-options",
        f"the endpoint cannot be asked: {why}",
        where="[train.options.endpoint]",
        expected="url, model and question, and other options as docs/train.md lists them",
        fix='url = "https://host/v1", model = "name"',
    )
