"""Input as agreed in, result out, everything logged.

`run` serves an opened release over HTTP, `Client` asks it, `read_log` reads what it decided and what happened, and
`rehearse` does all three with a real process. What is to be served comes from the corridor as a `Served`.
"""

from __future__ import annotations

from martello.serve.client import Client
from martello.serve.contract import Decided, Served
from martello.serve.entries import Decision, Entry, Outcome
from martello.serve.reading import Tally, find_decision, read_log
from martello.serve.rehearse import Rehearsed, RehearsedUnit, rehearse
from martello.serve.server import run
from martello.serve.shapes import Answer, LoggedDecision, Receipt

__all__ = [
    "Answer",
    "Client",
    "Decided",
    "Decision",
    "Entry",
    "LoggedDecision",
    "Outcome",
    "Receipt",
    "Rehearsed",
    "RehearsedUnit",
    "Served",
    "Tally",
    "find_decision",
    "read_log",
    "rehearse",
    "run",
]
