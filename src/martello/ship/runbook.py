"""The runbook: what somebody needs who has to run the model tonight and did not build it.

What the alarms are called stands in `docs/errors.md`; here stands what to do.
"""

from __future__ import annotations

from collections.abc import Mapping

from martello.records import AnyRecord, Measure
from martello.ship.known import Known
from martello.ship.markdown import bullets, document, owner_lines, plain, table
from martello.ship.sentence import headline
from martello.ship.words import name_of, say
from martello.spec.schema import Spec

__all__ = ["runbook"]


def runbook(spec: Spec, records: Mapping[str, AnyRecord]) -> str:
    """Write what somebody needs who has to run it tonight and did not build it.

    Parameters
    ----------
    spec
        The agreement.
    records
        What is known so far, by any key.

    Returns
    -------
    str
        Markdown; equal input gives equal bytes.
    """
    known = Known.of(spec, records)
    promised = known.evaluation.metrics.get(spec.metric.online.name) if known.evaluation else None
    return document(
        [
            f"# Runbook: {plain(spec.task.name)}",
            "",
            "**Start it, watch it, roll it back: nothing else is needed tonight.**",
            "",
        ],
        ["## What it does", "", f"{plain(spec.task.question)} {plain(headline(known))}", ""],
        _START,
        _watch(spec, promised),
        table(("Alarm", "What it means", "What to do"), _ALARMS),
        _ROLL_BACK,
        ["## Whom to call", "", *bullets(owner_lines(spec.owners))],
    )


_START = [
    "## Start",
    "",
    *bullets(
        (
            "`martello serve` in the project directory starts the server on the newest release; "
            "`--release DIR` names another.",
            "It checks every file against its hash and runs its self-test rows first. "
            "It does not start when one differs: that is meant.",
            "`GET /healthz` answers when it runs. `GET /openapi.json` says what it takes.",
            "Every decision is written to the log with its inputs, its scores and the release.",
        )
    ),
]


def _watch(spec: Spec, promised: Measure | None) -> list[str]:
    online = spec.metric.online
    wanted = "higher" if online.direction == "up" else "lower"
    gold = f" Gold promised {plain(say(promised, online.name, digits=1))}." if promised is not None else ""
    return [
        "## Watch",
        "",
        f"The agreed number is the {name_of(online.name)} of its decisions; {wanted} is better. An outcome may take "
        f"{online.window}; before that, its absence means nothing.{gold}",
        "",
    ]


_ALARMS = (
    (
        "The server does not start: `ship.tampered`, `ship.missing-file`, `ship.unexpected-file`",
        "The release directory is not what was sealed.",
        "Do not mend it by hand. Restore it from where it was copied, or roll back.",
    ),
    (
        "The server does not start: `ship.selftest-differs`",
        "This machine scores otherwise than the one that made the release, usually for another library version.",
        "Install the versions it was made with, or roll back. Never switch the self-test off.",
    ),
    (
        "Many requests are refused with `features.…` codes",
        "The caller sends other fields or types than agreed.",
        "Call product engineering; show them the code and the field it names. The model is not at fault.",
    ),
    (
        "The disk is full, decisions are refused",
        "A decision that cannot be logged is not given.",
        "Free space on the disk of the log, then start again. Nothing that was answered is lost.",
    ),
    (
        "The online number is lower than promised, interval and all",
        "The population or the meaning of an input has changed, or outcomes arrive late.",
        "Check that outcomes are complete. Then roll back and call the ML owner.",
    ),
)

_ROLL_BACK = [
    "## Roll back",
    "",
    "A release is never changed, so the earlier one is still what it was: stop the server and start it with "
    "`martello serve --release` on the earlier directory. If there is none, stop the server and "
    "let the product do what it did before. Then call the owner.",
    "",
]
