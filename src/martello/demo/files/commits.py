"""What a git repository remembers: who touched which files when, and with which words.

Read by git itself in a process of its own. Nothing in the repository's own settings may make git run a program or open
a connection; names and addresses stay in memory.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from martello.errors import DataError, EnvironmentFault

__all__ = ["MOST_COMMITS", "Commit", "Past", "read_past"]

#: Commits that are read, the newest; older ones are no events.
MOST_COMMITS = 10_000

_HEADER = "\x01"
_FORMAT = "tformat:%x01%ct%x02%P%x02%aE%x02%s"
_SAFE = (
    "--no-pager",
    "--literal-pathspecs",
    *("-c", "log.showSignature=false"),  # would run the repository's own gpg.program
    *("-c", "log.showRoot=true"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=" + os.devnull),
)


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit that is no merge: microseconds, who, the words, and each path with A, M or D (or another letter)."""

    at: int
    user: str
    words: str
    changes: tuple[tuple[str, str], ...]


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    Attributes
    ----------
    name
        The repository's folder.
    commits
        From the oldest on; times never fall, as the replay needs it.
    alive_before
        Files that existed before the first of them.
    is_capped
        Whether there were older ones.
    """

    name: str
    commits: tuple[Commit, ...]
    alive_before: tuple[str, ...]
    is_capped: bool


def read_past(repository: Path, *, most: int = MOST_COMMITS) -> Past:
    """Read the newest commits of the branch that is checked out, merges left out.

    Raises
    ------
    EnvironmentFault
        ``demo.no-git`` when git is not installed.
    DataError
        ``demo.no-repository`` when there is no repository with commits at that place, ``demo.git-failed`` when git
        cannot read it.
    """
    top = _git(repository, "rev-parse", "--git-common-dir", "--verify", "HEAD", code="demo.no-repository").split("\n")
    folder = (repository / top[0]).resolve()
    text = _git(
        repository,
        "log", "-z", "--no-merges", "--date-order", "--reverse", f"--max-count={most}", f"--format={_FORMAT}",
        "--name-status", "--no-renames", "--no-relative", "--no-ext-diff", "--no-textconv", "--no-color",
        "--encoding=UTF-8", "HEAD", "--",
    )  # fmt: skip
    commits, parent = _commits(text)
    is_capped = len(commits) == most and bool(parent)
    alive = _git(repository, "ls-tree", "-r", "-z", "--full-tree", "--name-only", parent) if parent else ""
    return Past(
        name=folder.parent.name if folder.name == ".git" else folder.name,
        commits=commits,
        alive_before=tuple(path for path in alive.split("\0") if path),
        is_capped=is_capped,
    )


def _git(repository: Path, *words: str, code: str = "demo.git-failed") -> str:
    """Run git at a place and give what it prints; the caller's own GIT_ variables do not lead it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    closed = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell; the repository is only a working directory
            ["git", *_SAFE, *words],  # noqa: S607 - the git of the user's own path
            cwd=repository,
            env={**kept, **closed, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as err:
        if repository.is_dir():
            raise EnvironmentFault(
                "demo.no-git",
                "git is not installed",
                expected="the program git on the path",
                fix="install git, for example: apt install git",
            ) from err
        raise _unreadable("demo.no-repository", repository, "there is no such directory") from err
    except NotADirectoryError as err:
        raise _unreadable("demo.no-repository", repository, "it is no directory") from err
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _unreadable(code, repository, said[0] if said else f"git ended with {done.returncode}")
    return done.stdout.decode(errors="replace")


def _unreadable(code: str, repository: Path, why: str) -> DataError:
    if code == "demo.no-repository":
        return DataError(
            "demo.no-repository",
            f"there is no git repository with commits here: {why}",
            where=str(repository.resolve()),
            expected="a directory inside a git repository with at least one commit",
            fix="martello demo files PATH/TO/REPOSITORY",
        )
    return DataError(
        "demo.git-failed",
        f"git cannot read the history: {why}",
        where=str(repository.resolve()),
        expected="a repository whose commits and trees are all on this disk",
        fix="try `git fsck` there; a clone made with --filter=tree:0 has to be completed first",
    )


def _commits(text: str) -> tuple[tuple[Commit, ...], str]:
    """Read git's output: the commits, and the first parent of the oldest."""
    found: list[Commit] = []
    oldest_parent, latest = "", 0
    for header, changes in _records(text.split("\0")):
        seconds, parents, user, words = header.removeprefix(_HEADER).split("\x02", 3)
        if not found:
            oldest_parent = parents.partition(" ")[0]
        latest = max(latest, int(seconds) * 1_000_000)
        found.append(Commit(at=latest, user=user.lower(), words=words, changes=tuple(changes)))
    return tuple(found), oldest_parent


def _records(tokens: list[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give each commit's header with its changes: a letter, then a path, which may hold any character but NUL."""
    header = ""
    changes: list[tuple[str, str]] = []
    rest = iter(tokens)
    for token in rest:
        if token.startswith(_HEADER):
            if header:
                yield header, changes
            header, changes = token, []
        elif letter := token.strip("\n"):
            changes.append((letter, next(rest)))
    if header:
        yield header, changes
