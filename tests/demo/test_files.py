"""Is this your file? On a repository that git makes here, and on the shared histories of two real ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from martello.cli import main
from martello.demo.files.commits import read_past
from martello.demo.files.compute import compute
from martello.demo.files.judge import compare, judge, places_of
from martello.demo.files.recall import DAY, ORDERS, learn_orders, recall_files
from martello.demo.files.task import (
    Events,
    Wanted,
    candidates,
    eligible,
    events_of,
    moments_of,
    pairs_table,
    touches_table,
)
from martello.errors import DataError, EnvironmentFault
from martello.stats.ranking_metrics import query_values

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
ODD = "odd \x01 näme\n.txt"
SOME = Wanted(recent=2, mine=1, named=1, others=4)


class Quiet:
    def started(self, word: str) -> None: ...
    def advanced(self, done: int, total: int) -> None: ...
    def finished(self, word: str, seconds: float, *, was_kept: bool) -> None: ...


def git(folder: Path, *words: str, given: bytes | None = None) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *words], cwd=folder, input=given, capture_output=True, check=True, env=clean)
    return done.stdout.decode()


class Story:
    """A history written as a stream that `git fast-import` takes."""

    def __init__(self) -> None:
        self.stream = b""
        self.n = 0

    def commit(self, at: int, user: str, words: str, *changes: str, merge: str = "", ref: str = "main") -> None:
        self.n += 1
        who = f"<{user}@example.org> {at} +0000"
        said = words.encode()
        self.stream += f"commit refs/heads/{ref}\nmark :{self.n}\ncommitter {who}\ndata {len(said)}\n".encode()
        self.stream += said + b"\n" + (f"merge {merge}\n".encode() if merge else b"")
        for change in changes:
            letter, path = change[0], change[1:]
            name = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
            if letter == "D":
                self.stream += f"D {name}\n".encode()
            else:
                body = f"{path} {self.n}".encode()
                self.stream += f"M 100644 inline {name}\ndata {len(body)}\n".encode() + body + b"\n"

    def write(self, folder: Path) -> Path:
        folder.mkdir()
        git(folder, "init", "-q", "--initial-branch=main")
        git(folder, "fast-import", "--quiet", given=self.stream)
        return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people; what they say names the file, and who touched what last says nothing."""
    rng, story = np.random.default_rng(0), Story()
    parts = ["reader", "writer", "parser", "server", "client", "ledger", "sampler", "judge", "probe", "order"]
    paths = [f"src/{part}_{kind}.py" for part in parts for kind in ("core", "page")]
    story.commit(1_600_000_000, "ann", "The beginning", *(f"A{path}" for path in paths), f"A{ODD}")
    for number in range(240):
        path = paths[rng.integers(len(paths))]
        at = 1_600_000_000 + 20_000 * (number + 1)
        part, kind = Path(path).stem.split("_")
        story.commit(at, ("ann", "bob")[number % 2], f"Mend the {kind} of the {part}", f"M{path}")
    at += 10
    story.commit(at, "ann", "Out \x02 with it", f"D{paths[0]}", f"M{ODD}")
    story.commit(at, "bob", "The same second", f"M{paths[1]}", f"A{paths[0]}")
    story.commit(at + 5, "ann", "Aside", f"M{paths[2]}", ref="side")
    story.commit(at + 9, "ann", "Bring both together", merge="refs/heads/side")
    return story.write(tmp_path_factory.mktemp("made") / "tower")


@needs_git
def test_commits_are_read_as_git_tells_them_one_by_one(repository: Path) -> None:
    past = read_past(repository)
    names = git(repository, "log", "--no-merges", "--date-order", "--reverse", "--format=%H").split()
    assert len(past.commits) == len(names)
    assert (past.name, past.is_capped, past.alive_before) == ("tower", False, ())
    for name, commit in [*zip(names, past.commits, strict=True)][-30:]:
        told = git(repository, "diff-tree", "--root", "--no-commit-id", "-r", "-z", "--name-status", name).split("\0")
        assert commit.changes == tuple(zip(told[:-1:2], told[1::2], strict=True))
        assert commit.words == git(repository, "show", "-s", "--format=%s", name).removesuffix("\n")
        assert (
            f"{commit.at // 1_000_000} {commit.user}" == git(repository, "show", "-s", "--format=%ct %ae", name).strip()
        )
    assert ("M", ODD) in past.commits[-3].changes or ("M", ODD) in past.commits[-2].changes


@needs_git
def test_from_a_capped_past_the_files_that_were_there_before_are_known(repository: Path) -> None:
    past = read_past(repository, most=9)
    assert past.is_capped
    assert len(past.commits) == 9
    oldest = git(repository, "log", "--no-merges", "--date-order", "--format=%H", "-n", "9").split()[-1]
    assert sorted(past.alive_before) == sorted(
        git(repository, "ls-tree", "-r", "-z", "--name-only", f"{oldest}^").split("\0")[:-1]
    )


@needs_git
def test_a_repository_cannot_make_git_run_a_program_and_the_environment_cannot_lead_it_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile, ran = tmp_path / "hostile", tmp_path / "ran"
    shutil.copytree(repository, hostile)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    for name in ("gpg.program", "core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "pager.log"):
        git(hostile, "config", name, str(program))
    git(hostile, "config", "log.showSignature", "true")
    git(hostile, "config", "diff.relative", "true")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert read_past(hostile).commits == read_past(repository).commits
    assert not ran.exists()


@needs_git
def test_what_is_no_repository_or_has_too_short_a_past_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story()
    for number in range(30):
        story.commit(1_600_000_000 + number, "ann", "One more", f"M{number % 3}.txt")
    short = story.write(tmp_path / "short")
    with pytest.raises(DataError, match=r"demo\.history-too-short"):
        recall_files(short, Quiet())
    (tmp_path / "file").write_text("")
    git(tmp_path, "init", "-q", "empty")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for place in ("empty", "missing", "file"):
        with pytest.raises(DataError, match=r"demo\.no-repository"):
            read_past(tmp_path / place)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match=r"demo\.no-git"):
        read_past(short)


@needs_git
def test_a_history_that_is_not_whole_is_named(repository: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(repository, broken)
    for pack in (broken / ".git" / "objects" / "pack").glob("*"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:200])
    with pytest.raises(DataError, match=r"demo\.(git-failed|no-repository)"):
        read_past(broken)


@needs_git
def test_every_candidate_is_drawn_as_often_as_its_recorded_probability_says(repository: Path) -> None:
    past = read_past(repository)
    number = eligible(past)[100]
    times: dict[str, int] = {}
    for seed in range(400):
        (moment,) = moments_of(past, {number: SOME}, seed=seed)
        assert sum(1 / chance for chance in moment.drawn.values()) == pytest.approx(moment.n_alive - 1)
        for path in moment.drawn:
            times[path] = times.get(path, 0) + 1
    chances = {
        path: chance
        for seed in range(30)
        for path, chance in moments_of(past, {number: SOME}, seed=seed)[0].drawn.items()
    }
    assert len(chances) == moment.n_alive - 1
    assert min(chances.values()) < 1 == max(chances.values())
    for path, chance in chances.items():
        error = (chance * (1 - chance) / 400) ** 0.5
        assert times[path] / 400 == pytest.approx(chance, abs=4.5 * error + 1e-12)


@needs_git
def test_a_moment_knows_only_what_was_strictly_before_it(repository: Path) -> None:
    past = read_past(repository)
    numbers = [*eligible(past)[120:123], *(n for n in eligible(past) if "second" in past.commits[n].words)]
    moments = moments_of(past, dict.fromkeys(numbers, SOME), seed=1)
    rows, events = candidates(moments), events_of(past)
    together = compute(events, rows)
    for number, moment in enumerate(moments):
        own = rows.filter(pc.equal(rows["moment"], number))
        before = Events(
            touches=events.touches.filter(pc.less(events.touches["at"], moment.at)),
            pairs=events.pairs.filter(pc.less(events.pairs["at"], moment.at)),
        )
        at = np.flatnonzero(rows["moment"].to_numpy() == number)
        assert compute(before, own) == {name: [values[i] for i in at] for name, values in together.items()}
    (last,) = moments_of(past, {numbers[-1]: Wanted(recent=99, mine=0, named=0, others=0)}, seed=1)
    assert "src/reader_core.py" in {*last.drawn, *last.touched}  # taken out in the same second, so it is still there


def test_places_are_those_of_the_list_and_with_weights_right_on_average() -> None:
    rng = np.random.default_rng(0)
    moment, score = np.repeat(np.arange(40), 12), rng.normal(size=480)
    touched = rng.random(480) < 0.15
    touched[::12] = True
    found = places_of(moment, touched, score)
    assert found.reciprocal == pytest.approx(query_values("mrr", moment, touched, score).value)
    assert found.is_first.mean() == pytest.approx(np.mean(found.reciprocal == 1))
    truth, others = score[:12].copy(), np.arange(1, 12)
    wanted = np.arange(12) == 0
    place = 1 + np.sum(truth[1:] > truth[0])
    draws = []
    for _ in range(4000):
        rows = np.concatenate(([0], rng.choice(others, 4, replace=False)))
        chance = np.where(rows == 0, 1.0, 4 / 11)
        draws.append(places_of(np.zeros(5), wanted[rows], truth[rows], chance))
    assert np.mean([1 / each.reciprocal[0] for each in draws]) == pytest.approx(place, abs=0.15)
    assert np.mean([each.behind[0] for each in draws]) == pytest.approx(1 - (place - 1) / 11, abs=0.02)


def test_equals_share_their_places_and_a_moment_without_a_wanted_file_is_refused() -> None:
    found = places_of([0, 0, 0], [1, 0, 0], [1.0, 1.0, 1.0])
    assert (found.reciprocal[0], found.is_first[0], found.behind[0]) == pytest.approx((1 / 2, 1 / 3, 1 / 2))
    with pytest.raises(DataError, match=r"demo\.nothing-wanted"):
        places_of([0, 1], [1, 0], [1.0, 1.0])


@needs_git
def test_what_is_said_is_learned_and_beats_recency_with_certainty_the_same_on_every_run(repository: Path) -> None:
    found = recall_files(repository / ".", Quiet(), seed=3)
    assert found.gains["learned"].low > 0.2
    assert found.orders["learned"].first.value > 0.8
    without = found.gains["learned without words"]
    assert without.low < 0 < without.high  # the past says nothing here, and nothing is claimed
    assert (found.judged.n, found.judged.inclusion_probability, found.candidates) == (found.judged.of, 1.0, found.files)
    assert recall_files(repository, Quiet(), seed=3) == found


@needs_git
def test_the_command_says_it_in_a_sentence_and_as_json_without_anybodys_address(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    assert main(["demo", "files"]) == 0
    said = capsys.readouterr().out
    assert "of 100 later moments in tower" in said.replace("\n", " ")
    assert "better with certainty" in said.replace("\n", " ")
    assert main(["demo", "files", str(repository), "--json"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert set(found["orders"]) == set(ORDERS)
    assert found["gains"]["learned"]["low"] > 0
    assert "example.org" not in said + told.out + told.err


def test_outside_a_repository_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "files", str(tmp_path / "nowhere"), "--json"]) in (2, 3)
    assert json.loads(capsys.readouterr().out)["error"]["code"] in ("demo.no-repository", "demo.no-git")


def shared_task(folder: Path) -> tuple[pa.Table, Events]:
    """Bring a shared set into the shape of the task; what was touched last is found by a loop of its own."""
    drawn = pq.read_table(folder / "candidates.parquet").to_pylist()
    touched = pq.read_table(folder / "touches.parquet").to_pylist()
    micros = lambda moment: round(moment.timestamp()) * 1_000_000  # noqa: E731
    said = {row["query_id"]: row["query"] for row in drawn}
    touches = [(micros(row["ts"]), row["user"], said.get(row["query_id"]), row["path"]) for row in touched]
    commits: dict[tuple[int, str], list[str]] = {}
    for at, user, _, path in touches:
        commits.setdefault((at, user), []).append(path)
    pairs = [(at, *two) for (at, _), paths in commits.items() if len(paths) <= 15 for two in permutations(paths, 2)]
    numbers = {query: number for number, query in enumerate(dict.fromkeys(row["query_id"] for row in drawn))}
    latest: dict[str, str] = {}
    of_query: dict[str, str | None] = {}
    waiting = iter(touches)
    upcoming = next(waiting, None)
    for row in drawn:
        while upcoming is not None and upcoming[0] < micros(row["ts"]):
            latest[upcoming[1]] = upcoming[3]
            upcoming = next(waiting, None)
        of_query[row["query_id"]] = latest.get(row["user"])
    rows = {
        "moment": [numbers[row["query_id"]] for row in drawn],
        "at": [micros(row["ts"]) for row in drawn],
        "user": [row["user"] for row in drawn],
        "latest": pa.array([of_query[row["query_id"]] for row in drawn], pa.string()),
        "words": [row["query"] for row in drawn],
        "path": [row["path"] for row in drawn],
        "touched": [row["label"] == 1 for row in drawn],
        "inclusion_probability": [row["inclusion_prob"] for row in drawn],
    }
    return pa.table(rows), Events(touches=touches_table(touches), pairs=pairs_table(pairs))


def age_of_last_touch(rows: pa.Table, events: Events) -> np.ndarray:
    """Give how long before its moment each candidate was touched last, by a plain loop."""
    last: dict[str, int] = {}
    touches = iter(zip(events.touches["at"].to_pylist(), events.touches["path"].to_pylist(), strict=True))
    upcoming = next(touches, None)
    found = []
    for at, path in zip(rows["at"].to_pylist(), rows["path"].to_pylist(), strict=True):
        while upcoming is not None and upcoming[0] < at:
            last[upcoming[1]] = upcoming[0]
            upcoming = next(touches, None)
        found.append(at - last[path] if path in last else 1e30)
    return np.array(found)


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "published"), [("datasette", 0.604), ("mapie", 0.715)])
def test_on_real_histories_the_learned_order_beats_recency_with_certainty_on_later_moments(
    shared: Callable[[str], Path], name: str, published: float
) -> None:
    folder = shared("adult").parent.parent / f"file_recall_{name}"
    if not folder.exists():
        pytest.skip(f"file_recall_{name} may not be carried in the repository and is not at {folder}")
    rows, events = shared_task(folder)
    moment, touched, age = rows["moment"].to_numpy(), rows["touched"].to_numpy(), age_of_last_touch(rows, events)
    assert query_values("mrr", moment, touched, -age).value.mean() == pytest.approx(published, abs=0.002)
    # The tenth that comes last judges; of those before it the nearest are learned from, to be quick.
    begin, learned_from = int(0.9 * (moment.max() + 1)) - 400, 400
    some = rows.filter(pa.array(moment >= begin))
    moment, touched = some["moment"].to_numpy() - begin, some["touched"].to_numpy()
    some = some.set_column(0, "moment", pa.array(moment))
    places = learn_orders(some, compute(events, some), learned_from, seed=0)
    late = np.flatnonzero(moment >= learned_from)
    chance = some["inclusion_probability"].to_numpy()[late]
    recency = places_of(moment[late], touched[late], -age[-len(moment) :][late], chance)
    assert places["recency"].reciprocal == pytest.approx(recency.reciprocal)
    first = late[np.unique(moment[late], return_index=True)[1]]
    days = [f"{some['at'][int(i)].as_py() // DAY} {some['user'][int(i)].as_py()}" for i in first]
    equal = np.ones(len(first))
    assert compare(places["learned"], recency, weight=equal, cluster=days).low > 0.1
    assert judge(places["learned"], weight=equal, cluster=days).behind.value > 0.95
