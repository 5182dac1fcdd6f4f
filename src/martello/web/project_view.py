"""A project as its files are now: opened again when `martello.toml` has changed under the server."""

from __future__ import annotations

import threading
from pathlib import Path

from martello.corridor.project import Project

__all__ = ["ProjectView"]


class ProjectView:
    """Hand out the project, opened again after a change of its agreement.

    Parameters
    ----------
    project
        The project as it was opened.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._file: Path = project.directory / "martello.toml"
        self._seen = self._stamp()
        self._lock = threading.Lock()
        _ = project.ledger  # opened here: it is used from several threads

    def now(self) -> Project:
        """Give the project; raises SpecError when the agreement has become faulty."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                project = Project(self._project.directory, settings=self._project.settings)
                _ = project.ledger
                self._project, self._seen = project, stamp
            return self._project

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._file.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)
