"""The web face, put together: which address shows which page. Nothing is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from martello.corridor.project import Project
from martello.label.contract import AnnotatorRegister, LabelingRoom
from martello.web import campaign, labeling, overview, record_page
from martello.web.entry import Guard, enter
from martello.web.faults import HANDLERS
from martello.web.meter_view import MeterView
from martello.web.project_view import ProjectView

__all__ = ["create_app"]


def create_app(
    *,
    project: Project | None,
    room: LabelingRoom | None,
    register: AnnotatorRegister,
    images: Path | None = None,
    names: Sequence[str] = (),
    max_body: int = 1_000_000,
) -> Starlette:
    """Put the pages together.

    Parameters
    ----------
    project
        The project whose loop is shown; None shows labeling only.
    room
        The campaign that is open; None shows the loop only.
    register
        Who may enter.
    images
        Folder that the units' pictures lie below.
    names
        Names this server goes by, beside localhost, addresses and the machine's own name.
    max_body
        Largest request body in bytes.
    """
    app = Starlette(
        routes=_routes(register),
        middleware=[Middleware(Guard, register=register, names=names, max_body=max_body)],
        exception_handlers=HANDLERS,
    )
    app.state.project = ProjectView(project) if project else None
    app.state.meter = MeterView(room) if room else None
    app.state.room, app.state.register, app.state.images = room, register, images
    return app


def _routes(register: AnnotatorRegister) -> list[Route | Mount]:
    def entered(request: Request) -> Response:
        return enter(request, register)

    get = partial(Route, methods=["GET"])
    post = partial(Route, methods=["POST"])
    return [
        get("/enter/{token}", entered),
        get("/label", labeling.label),
        post("/label/next", labeling.next_units),
        post("/label/submit", labeling.submit),
        post("/label/undo", labeling.undo),
        get("/label/meter", labeling.meter),
        get("/label/answered", labeling.answered),
        get("/label/image/{path:path}", labeling.image),
        get("/label/team", campaign.team),
        post("/label/team/invite", campaign.invite),
        post("/label/team/revoke", campaign.revoke),
        get("/label/disagreements", campaign.disagreements),
        post("/label/disagreements", campaign.adjudicate),
        get("/label/guidelines", campaign.guidelines),
        post("/label/guidelines", campaign.write_guidelines),
        get("/", overview.overview),
        get("/report", overview.report),
        get("/ledger", record_page.ledger),
        get("/records/{id}", record_page.record),
        Mount("/static", StaticFiles(directory=str(files("martello.web") / "static"))),
        get("/{word}", overview.word),
    ]
