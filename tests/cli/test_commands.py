from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from martello import __version__
from martello.cli import build_parser, main
from martello.cli.table import COMMANDS
from martello.cli.terminal import columns


def test_every_command_has_help_json_and_project() -> None:
    for command in COMMANDS:
        parser = build_parser(only=command)
        needed = {"spec": ["check"], "order": ["audit", "decisions", "renders"]}.get(command.name, [])
        words = [command.name, *needed, "--json", "--project", "x"]
        parsed = parser.parse_args(words)
        assert (parsed.json, parsed.project) == (True, "x")


def test_no_command_shows_the_help_and_is_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "martello demo adult" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_an_unknown_command_exits_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["trian"])
    assert caught.value.code == 2


def test_doctor_finds_what_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--project", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert (states["duckdb"], states["engine"], states["scorer"], states["project"]) == ("ok", "ok", "ok", "note")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, martello.cli as c\ntry: c.main(['--help'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pyarrow", "duckdb", "sqlalchemy", "msgspec", "rich", "lightgbm", "sklearn"} & set(
        done.stderr.split()
    )


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, martello; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "msgspec", "pyarrow", "argparse"} & set(done.stdout.split())


def test_spec_init_leaves_an_agreement_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    words = ["spec", "init", str(data / "german_credit.parquet"), "--label", "credit_risk", "--project", str(tmp_path)]
    words.append("--json")
    assert main(words) == 0
    (tmp_path / "martello.toml").write_text("mine", encoding="utf-8")
    assert main(words) == 2
    assert json.loads(capsys.readouterr().out.split("}\n", 1)[1])["error"]["code"] == "spec.exists"
    assert (tmp_path / "martello.toml").read_text() == "mine"


def test_spec_check_show_and_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: Path) -> None:
    main(["spec", "init", str(data / "german_credit.parquet"), "--label", "credit_risk", "--project", str(tmp_path)])
    capsys.readouterr()
    assert main(["spec", "check", "--project", str(tmp_path)]) == 0
    assert "the agreement is whole" in capsys.readouterr().out
    assert main(["spec", "show", "--project", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["task"]["kind"] == "binary"
    assert main(["spec", "schema"]) == 0
    assert "properties" in json.loads(capsys.readouterr().out)


def test_status_and_log_of_a_project_that_has_not_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    main(["spec", "init", str(data / "german_credit.parquet"), "--label", "credit_risk", "--project", str(tmp_path)])
    capsys.readouterr()
    assert main(["status", "--project", str(tmp_path)]) == 0
    assert "Next: martello run" in capsys.readouterr().out
    assert main(["log", "--project", str(tmp_path)]) == 0
    assert "Nothing has been made yet" in capsys.readouterr().out


def test_the_demo_does_not_write_into_a_directory_that_holds_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    assert main(["demo", "adult", str(tmp_path), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "demo.directory-taken"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_serving_without_a_release_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--project", str(tmp_path), "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "serve.no-release"
    assert "martello run" in error["try"]


def test_columns_are_aligned() -> None:
    lines = columns([("precision", "0.910"), ("AUC", "0.928")])
    assert len({line.index("0.9") for line in lines}) == 1
