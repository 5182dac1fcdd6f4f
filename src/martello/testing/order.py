"""The order contract as a test of the product: a decision that is hard to show right goes in, the page comes out.

Feed the page `example_decision`, read it with `read_page` (Playwright) or by your own means, and call `check_order`.
The ids of the example are in none of the orders that pages fall into by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any, Protocol

import msgspec

from martello.order.edits import Edits
from martello.order.facts import Dropped, RankedDecision, Render, Shown
from martello.order.reconcile import judge

__all__ = ["check_order", "example_decision", "read_page"]

_IDS = ("47", "item-b", "9", "103", "item-a", "B", "1000000007", "a", "0", "item-10", "item-9", "z")


class _Page(Protocol):
    """The one thing of a Playwright page that is needed."""

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        """Run a script on the page."""


def example_decision(n: int = 10) -> RankedDecision:
    """Give a decision whose order is neither that of numbers, nor of text, nor of length, nor reversed.

    Examples
    --------
    >>> example_decision(4).items
    ('47', 'item-b', '9', '103')
    """
    names = (*_IDS, *(f"item-{k * 7919 % 100_003}" for k in range(n)))[:n]
    return RankedDecision(decision="example-decision", items=names)


def read_page(page: _Page, selector: str = "body") -> tuple[Shown, ...]:
    """Read what a page shows, in the order in which people see it.

    Parameters
    ----------
    page
        A page of Playwright, or whatever else runs a script in a browser.
    selector
        The element that holds the list; its items carry `data-martello-item`.
    """
    source = resources.files("martello.order").joinpath("observe.js").read_text(encoding="utf-8")
    script = source.replace("export function", "function")
    found = page.evaluate(
        f"(selector) => {{ {script}\nreturn readOrder(document.querySelector(selector)); }}", selector
    )
    return tuple(
        msgspec.convert({**{k: v for k, v in each.items() if k != "did"}, "decision": each.get("did")}, Shown)
        for each in found
    )


def check_order(
    decision: RankedDecision,
    shown: Iterable[str | Shown],
    *,
    edits: Edits | None = None,
    offset: int = 0,
    dropped: Sequence[Dropped] = (),
    least: int = 1,
) -> None:
    """Pass when a page shows a decision in its order, fail with what was changed.

    Parameters
    ----------
    decision
        What the page was given.
    shown
        What it shows: ids, or what `read_page` gives.
    edits, dropped
        What is legal after the seal, and what the page says it left out.
    offset
        Items of the decision on earlier pages.
    least
        Items that have to be there: an empty page shows nothing in the wrong order.

    Raises
    ------
    AssertionError
        When anything was changed; the message names each change and both orders.

    Examples
    --------
    >>> check_order(example_decision(3), ["47", "item-b", "9"])
    >>> check_order(example_decision(3), ["9", "47", "item-b"])
    Traceback (most recent call last):
    AssertionError: the order is not kept
      reorder: '47' stands after '9'
      decided: 47, item-b, 9
      shown:   9, 47, item-b
    """
    seen = tuple(each if isinstance(each, Shown) else Shown(id=each) for each in shown)
    render = Render(id="test", decision=decision.decision, shown=seen, offset=offset, dropped=tuple(dropped))
    faults = [f"{kind}: {text}" for kind, text in judge(render, decision, edits=edits).kinds.items()]
    n = sum(each.id in decision.items for each in seen)
    if n < least:
        faults.append(f"only {n} of its items are shown, and {least} have to be")
    if faults:
        raise AssertionError(
            "\n  ".join(
                [
                    "the order is not kept",
                    *faults,
                    f"decided: {', '.join(decision.items[offset:])}",
                    f"shown:   {', '.join(each.id for each in seen)}",
                ]
            )
        )
