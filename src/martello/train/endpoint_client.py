"""Calls to an endpoint: connections and retries from urllib3, answers kept on disk, cost counted and capped.

A call is named by the hash of its address and body, so the same question is paid for once, also across processes and
after an interruption. What is kept is what was answered, never the key. Rules of what an answer means are not here.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from martello.errors import EnvironmentFault, PluginError, SpecError
from martello.train.endpoint_prompt import Nonsense, Reply, read_reply

if TYPE_CHECKING:
    from urllib3.util.retry import Retry

__all__ = ["Client", "Usage"]

#: Answers of a server that may be different in a moment.
_TRY_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)

_MILLION = 1_000_000


@dataclass
class Usage:
    """What calls have cost so far; one object is shared by all threads of a client.

    What a call that broke off has cost is not told by the endpoint, and so not counted.

    Attributes
    ----------
    calls, cached, retries
        Questions sent, questions answered from disk, and attempts beyond the first.
    prompt_tokens, completion_tokens
        As the endpoint counted them.
    uncounted
        Answers whose tokens the endpoint did not count; they are charged at the most they can have cost.
    cost
        What was paid, in the currency of the declared prices.
    worth
        What all answers would have cost, those from disk too.
    nonsense
        Answers refused, by kind.
    """

    calls: int = 0
    cached: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    cost: float = 0.0
    worth: float = 0.0
    nonsense: Counter[str] = field(default_factory=Counter)


class Client:
    """Ask one endpoint.

    Parameters
    ----------
    url
        Base address, such as ``https://host/v1``.
    key_env
        Name of the environment variable that holds the key; empty: no key is sent.
    cache
        Folder for answers; empty: none are kept.
    timeout
        Seconds to wait for a connection, and for the next bytes of an answer.
    retries, pause
        Attempts beyond the first, and seconds before the second, doubled each time, with jitter; Retry-After counts.
    concurrency
        Connections at once.
    prices
        Price of a million prompt tokens and of a million completion tokens.
    budget
        No call is sent that could bring the cost above this; None: no cap.
    """

    def __init__(
        self,
        url: str,
        *,
        key_env: str,
        cache: str,
        timeout: float,
        retries: int,
        pause: float,
        concurrency: int,
        prices: tuple[float, float],
        budget: float | None,
    ) -> None:
        urllib3 = _urllib3()
        self._url = url.rstrip("/") + "/chat/completions"
        self._key_env = key_env
        self._cache = Path(cache) if cache else None
        self._prices = prices
        self._budget = budget
        self._reserved = 0.0
        self._lock = threading.Lock()
        self._retry = _patience(retries, pause)
        self._pool = urllib3.PoolManager(
            maxsize=concurrency, block=True, timeout=urllib3.Timeout(connect=timeout, read=timeout)
        )
        self.usage = Usage()

    def ask(self, body: Mapping[str, Any], take: Callable[[Reply], Any]) -> Reply:
        """Give the reply to a body, from disk or from the endpoint; only replies that `take` takes are kept.

        Raises
        ------
        Nonsense
            Whatever `take` raises, after it is counted.
        EnvironmentFault
            ``train.endpoint-down`` or ``train.endpoint-no-key``.
        PluginError
            ``train.endpoint-refused``.
        SpecError
            ``train.endpoint-budget``.
        """
        sent = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        place = self._place(sent)
        most = self._most(sent, int(body.get("max_tokens") or body.get("max_completion_tokens") or 0))
        if place and (kept := _read(place, take)):
            with self._lock:
                self.usage.cached += 1
                self.usage.worth += self._price(kept, most)
            return kept
        self._reserve(most)
        raw, reply = b"", None
        try:
            raw = self._post(sent)
            reply = read_reply(raw)
            take(reply)
        except Nonsense as err:
            with self._lock:
                self.usage.nonsense[str(err)] += 1
            raise
        finally:
            self._charge(reply, most, was_answered=bool(raw))
        if place:
            _write(place, raw)
        return reply

    def _place(self, sent: bytes) -> Path | None:
        name = hashlib.sha256(self._url.encode() + b"\n" + sent).hexdigest()
        return self._cache / name[:2] / f"{name}.json" if self._cache else None

    def _most(self, sent: bytes, max_tokens: int) -> float:
        """Give the most a call can cost: a token has at least one byte."""
        return (len(sent) * self._prices[0] + max_tokens * self._prices[1]) / _MILLION

    def _reserve(self, most: float) -> None:
        with self._lock:
            if self._budget is not None and self.usage.cost + self._reserved + most > self._budget:
                raise SpecError(
                    "train.endpoint-budget",
                    f"the next call could bring the cost above {self._budget:g}; {self.usage.cost:g} is spent",
                    where=self._url,
                    expected="calls within the declared budget",
                    fix="raise budget, or ask about fewer rows; answers so far are kept and not paid for again",
                )
            self._reserved += most
            self.usage.calls += 1

    def _charge(self, reply: Reply | None, most: float, *, was_answered: bool) -> None:
        """Put what a call did cost in the place of what was reserved for it."""
        price = self._price(reply, most) if was_answered else 0.0
        with self._lock:
            self._reserved -= most
            self.usage.cost += price
            self.usage.worth += price
            if reply and reply.usage:
                self.usage.prompt_tokens += reply.usage.prompt_tokens
                self.usage.completion_tokens += reply.usage.completion_tokens
            else:
                self.usage.uncounted += was_answered

    def _price(self, reply: Reply | None, most: float) -> float:
        """Give the price of a reply by its tokens; the most it can be where they are not told."""
        if reply is None or reply.usage is None:
            return most
        tokens = (reply.usage.prompt_tokens, reply.usage.completion_tokens)
        return sum(n * price for n, price in zip(tokens, self._prices, strict=True)) / _MILLION

    def _post(self, sent: bytes) -> bytes:
        import urllib3

        headers = {"Content-Type": "application/json"} | self._credentials()
        try:
            answer = self._pool.request(
                "POST", self._url, body=sent, headers=headers, retries=self._retry, redirect=False
            )
        except urllib3.exceptions.HTTPError as err:
            reason = getattr(err, "reason", None) or err
            raise self._down(f"{type(reason).__name__}: {reason}") from err
        with self._lock:
            self.usage.retries += len(answer.retries.history) if answer.retries else 0
        if answer.status in _TRY_AGAIN:
            raise self._down(f"it answers {answer.status}")
        if answer.status != 200:
            raise PluginError(
                "train.endpoint-refused",
                f"the endpoint answers {answer.status}: {answer.data[:300].decode(errors='replace')}",
                where=self._url,
                expected="an OpenAI-compatible endpoint that takes response_format json_schema",
                fix="check url, model and the key; leave out with body = { NAME = null } what it does not take",
            )
        return bytes(answer.data)

    def _credentials(self) -> dict[str, str]:
        if not self._key_env:
            return {}
        if not (key := os.environ.get(self._key_env)):
            raise EnvironmentFault(
                "train.endpoint-no-key",
                f"the environment variable {self._key_env} is not set",
                where=self._url,
                expected="the key of the endpoint in it",
                fix=f"export {self._key_env}=…",
            )
        return {"Authorization": f"Bearer {key}"}

    def _down(self, why: str) -> EnvironmentFault:
        return EnvironmentFault(
            "train.endpoint-down",
            f"the endpoint does not answer: {why}",
            where=self._url,
            expected="an answer within the declared timeout and retries",
            fix="try again later; answers so far are kept and not paid for again",
        )


def _patience(retries: int, pause: float) -> Retry:
    """Give urllib3's retry with a pause before the second attempt, full jitter, and an end to Retry-After."""
    from urllib3.util.retry import Retry

    longest = max(60.0, pause)

    class Patience(Retry):
        def get_backoff_time(self) -> float:
            wait: float = min(longest, pause * 2.0 ** max(0, len(self.history) - 1))
            return wait * (0.5 + random.random() / 2)  # noqa: S311 - spreads callers, decides nothing

        def parse_retry_after(self, retry_after: str) -> float:
            return min(longest, super().parse_retry_after(retry_after))

    return Patience(
        total=retries,
        allowed_methods={"POST"},  # asking twice costs tokens but changes nothing
        status_forcelist=_TRY_AGAIN,
        raise_on_status=False,
    )


def _read(place: Path, take: Callable[[Reply], Any]) -> Reply | None:
    """Give a kept reply; one that is damaged is asked for again."""
    try:
        reply = read_reply(place.read_bytes())
        take(reply)
    except (OSError, Nonsense):
        return None
    return reply


def _write(place: Path, raw: bytes) -> None:
    """Keep a reply so that a reader finds all of it or nothing."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        os.replace(name, place)
    except OSError as err:
        raise EnvironmentFault(
            "train.endpoint-cache",
            f"an answer cannot be kept: {err}",
            where=str(place.parent),
            expected="a folder that can be written",
            fix="make room, or name another folder as cache",
        ) from err


def _urllib3() -> Any:
    try:
        import urllib3
    except ImportError as err:
        raise PluginError(
            "train.no-urllib3",
            "the learner endpoint needs the package urllib3",
            expected="urllib3 2 or newer",
            fix="pip install 'martello[endpoint]'",
        ) from err
    return urllib3
