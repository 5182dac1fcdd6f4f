"""What a run says when it ends: the sentence, the numbers with their intervals, where the report lies, what to try
next."""

from __future__ import annotations

from pathlib import Path

from martello.cli.terminal import bold, columns, paragraph
from martello.corridor.project import Project, Run, StageState
from martello.records import Evaluation, Experiment, Measure
from martello.ship.known import Known
from martello.ship.sentence import headline, supporting
from martello.ship.words import name_of, say_short
from martello.stats.estimate import Estimate
from martello.store.blobs import write_atomically
from martello.web.report import report_html

__all__ = ["report_path", "summarize", "write_report"]


def report_path(project: Project) -> Path:
    """Give the place of the project's report."""
    return project.directory / "report.html"


def write_report(project: Project) -> Path:
    """Write the report from the records as they stand, and give its path."""
    path = report_path(project)
    lines = project.ledger.lines(limit=200)
    write_atomically(path, report_html(project.spec, project.records(), ledger_lines=lines).encode())
    return path


def summarize(project: Project, done: Run, *, tries: tuple[str, ...] = ()) -> list[str]:
    """Write what came of a run, as lines for a terminal."""
    known = Known.of(project.spec, project.records())
    lines = [bold(paragraph(headline(known))), *(paragraph(text) for text in supporting(known)), ""]
    if known.evaluation is not None:
        lines += [*_numbers(known.evaluation, known.experiment), ""]
    lines += _warnings(known)
    lines += _waiting(done.states)
    lines += [f"Report: {report_path(project)}", "", "Try next:"]
    return lines + [f"  {command}" for command in tries or _tries(done.states, project)]


def _numbers(evaluation: Evaluation, experiment: Experiment | None) -> list[str]:
    rows = [_row("gold", metric, measure) for metric, measure in evaluation.metrics.items()]
    if experiment is not None:
        rows.append(_row("rehearsal", experiment.metric, experiment.online))
    note = f"  {evaluation.level:.0%} intervals; {evaluation.n_gold:,} gold units; look {evaluation.look} at gold, "
    return [*columns(rows), note + f"{evaluation.looks_left} left"]


def _row(where: str, metric: str, measure: Measure) -> tuple[str, str, str]:
    value = str(measure) if isinstance(measure, Estimate) else say_short(measure, metric)
    return where, name_of(metric), value


def _warnings(known: Known) -> list[str]:
    findings = [
        finding
        for record in (known.frame, known.sample, known.features, known.advice)
        if record is not None
        for finding in record.findings
        if finding.severity == "warning"
    ]
    return [paragraph(f"! {finding.what}") for finding in findings] + ([""] if findings else [])


def _waiting(states: tuple[StageState, ...]) -> list[str]:
    waits = [paragraph(f"{state.word} waits: {state.why}") for state in states if state.state == "waiting"]
    return [*waits, ""] if waits else []


def _tries(states: tuple[StageState, ...], project: Project) -> tuple[str, ...]:
    where = "" if project.directory == Path.cwd() else f" --project {project.directory}"
    if any(state.state == "refused" for state in states):
        return (f"martello evaluate{where}", f"martello iterate{where}", f"martello status{where}")
    return (f"martello status{where}", f"martello log{where}", f"martello serve{where}")
