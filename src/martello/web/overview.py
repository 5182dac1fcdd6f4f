"""The overview: the loop itself, each word with its state and its number, and what to do next.

Each word has a page at its own name, and the whole report is one click away. From every number one click leads to how
it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from martello.corridor.project import Project, StageState
from martello.errors import DataError, MartelloError
from martello.records import AnyRecord
from martello.ship.known import Known
from martello.web.loop import loop_of, next_action
from martello.web.meter_picture import pictures
from martello.web.meter_view import MeterView
from martello.web.record_page import shown_of
from martello.web.report import body, opening
from martello.web.responses import json_response, page, project_of

__all__ = ["QUESTIONS", "overview", "report", "word"]

#: The thirteen words and the question each answers.
QUESTIONS = {
    "spec": "What goes in, what comes out, on which population, how good is good enough, who owns it?",
    "sample": "Which units do we look at, and with what probability did we choose each?",
    "label": "What is the answer for each unit, and when may we stop?",
    "probe": "Is this a function that can be learnt, and how good could it get?",
    "features": "What is predictive, declared once, equal in training and serving?",
    "train": "Which algorithm, bought from whom?",
    "evaluate": "How good on gold, with what certainty, on which slices, at which threshold?",
    "ship": "Does it meet the agreed requirement, and can a second person run it?",
    "serve": "Input as agreed in, result out, everything logged",
    "order": "Did anyone re-arrange the results after they left?",
    "experiment": "Did the agreed product metric move?",
    "iterate": "What next: more data, other features, another algorithm, or stop?",
    "plan": "When will it be useful, and what may we promise?",
}
_LINES = 8
#: The labeling page has the plain path of its word; what labeling made is here.
_PATHS = {"label": "/labels"}


def path_of(word: str) -> str:
    """Give where a word has its page."""
    return _PATHS.get(word, f"/{word}")


def overview(request: Request) -> Response:
    """Show the loop."""
    project = project_of(request)
    records, states = project.records(), project.states()
    known = Known.of(project.spec, records)
    steps = loop_of(known)
    if request.query_params.get("format") == "json":
        return json_response({"task": project.spec.task.name, "states": states})
    return page(
        request,
        "overview.html",
        **opening(known),
        steps=[(step, path_of(step.word), _state_of(step.word, states)) for step in steps],
        questions=QUESTIONS,
        waiting=_waiting(states),
        action=next_action(steps),
        lines=project.ledger.lines(limit=_LINES),
        is_once_round=all(step.state in ("done", "later") for step in steps),
        **_labeling(request.app.state.meter),
    )


def _labeling(meter: MeterView | None) -> dict[str, Any]:
    if meter is None:
        return {"meter": None, "pictures": (), "claims": ()}
    now = meter.now()
    drawn, claims = pictures(now)
    return {"meter": now, "pictures": drawn[:1], "claims": claims}


def _state_of(word: str, states: Sequence[StageState]) -> StageState | None:
    return next((state for state in states if state.word == word), None)


def _waiting(states: Sequence[StageState]) -> StageState | None:
    """Give the first word that waits for a person."""
    return next((state for state in states if state.state in ("waiting", "refused")), None)


def word(request: Request) -> Response:
    """Show what one word of the loop has made, how, from what and by whom."""
    name = request.path_params["word"]
    name = next((each for each, path in _PATHS.items() if path == f"/{name}"), name)
    if name not in QUESTIONS:
        raise DataError("web.unknown-page", "there is no such page", where=request.url.path, fix="start at /")
    project = project_of(request)
    state, records = _state_of(name, project.states()), project.records()
    lines = project.ledger.lines(limit=20, word=name)
    made = _made(project, state)
    if request.query_params.get("format") == "json":
        return json_response({"word": name, "state": state, "records": made})
    step = next(each for each in loop_of(Known.of(project.spec, records)) if each.word == name)
    return page(
        request,
        "word.html",
        word=name,
        question=QUESTIONS[name],
        step=step,
        state=state,
        made=made,
        agreement=_agreement(project) if name == "spec" else "",
        lines=lines,
        **shown_of(project.spec, made),
    )


def _made(project: Project, state: StageState | None) -> dict[str, AnyRecord]:
    found: dict[str, AnyRecord] = {}
    for id in state.records if state else ():
        try:
            found[id] = project.store.get_record(id)
        except MartelloError:
            continue  # gone: the state of the word says so
    return found


def _agreement(project: Project) -> str:
    return (project.directory / "martello.toml").read_text(encoding="utf-8")


def report(request: Request) -> Response:
    """Show the report: the sentence, the pictures, the evidence."""
    project = project_of(request)
    records = project.records()
    known = Known.of(project.spec, records)
    if request.query_params.get("format") == "json":
        return json_response({id: msgspec.to_builtins(record) for id, record in records.items()})
    lines = project.ledger.lines(limit=1000)
    return page(request, "report_page.html", **opening(known), **body(known, records, lines))
