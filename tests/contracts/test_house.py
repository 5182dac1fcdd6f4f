"""The rules of the house that are not imports: names, sizes, formats, docs that cannot drift."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from martello.cli.table import COMMANDS, WORDS
from martello.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "martello"
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = (
    "client|corridor|data|demo|engine|evaluate|experiment|features|iterate|label|ledger|order|project|sample|serve|settings|"
    "ship|spec|stats|store|testing|train|web"
)
CODE = re.compile(rf"^(?:{ROOMS})\.[a-z0-9]+(?:-[a-z0-9]+)*$")
CLOSURE = Path("src/martello/features/expressions/closure.py")
SUFFIXES = (".json", ".toml", ".md", ".txt", ".npz", ".parquet", ".html", ".sqlite", ".py", ".csv")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_a_package_a_command_a_page_and_a_test_folder(word: str) -> None:
    assert importlib.import_module(f"martello.{word}").__doc__
    assert word in [command.name for command in COMMANDS]
    assert (ROOT / "docs" / f"{word}.md").read_text(encoding="utf-8").startswith("# ")
    assert list((ROOT / "tests" / word).glob("test_*.py"))


def test_every_module_says_what_lives_in_it_and_names_what_is_public() -> None:
    for path, tree in trees():
        assert ast.get_docstring(tree), f"{path} has no docstring"
        names = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        defines = any(
            isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") for node in tree.body
        )
        assert "__all__" in names or not defines, f"{path} has public names but no __all__"


def test_nothing_that_runs_code_on_load_is_imported() -> None:
    banned = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found = {alias.name.split(".")[0] for alias in node.names} & banned
            elif isinstance(node, ast.ImportFrom):
                found = {(node.module or "").split(".")[0]} & banned
            elif isinstance(node, ast.Call):
                # one place makes a function, from a closed list of steps that our own generator wrote
                makes = set() if path == CLOSURE else {"eval", "exec", "compile", "FunctionType"}
                calls = {node.func.id} & makes if isinstance(node.func, ast.Name) else set()
                loads = {
                    k.arg
                    for k in node.keywords
                    if k.arg == "allow_pickle" and getattr(k.value, "value", None) is not False
                }
                found = calls | {str(name) for name in loads}
            else:
                continue
            assert not found, f"{path}:{node.lineno} uses {found}"


def test_files_and_functions_stay_small() -> None:
    for path, tree in trees():
        assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 500, f"{path} is long"
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                doc = ast.get_docstring(node)
                end = node.end_lineno or node.lineno
                length = end - node.lineno + 1 - (len(doc.splitlines()) + 2 if doc else 0)
                assert length <= 60, f"{path}:{node.lineno} {node.name} has {length} lines"


# Input checks and readers of labels and saved processes estimate nothing, and so promise nothing.
NOT_ESTIMATORS = {"answers.py", "certification_record.py", "checks.py"}


def test_every_estimator_says_what_it_assumes_and_guarantees_and_shows_an_example() -> None:
    for path in sorted((SOURCE / "stats").glob("*.py")):
        if path.name in NOT_ESTIMATORS:
            continue
        module = importlib.import_module(f"martello.stats.{path.stem}")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith(("_", "check_")):
                continue
            if path.stem == "__init__" or node.name not in module.__all__:
                continue
            doc = ast.get_docstring(node) or ""
            for section in ("Assumptions", "Guarantee", ">>>"):
                assert section in doc, f"{path.name}: {node.name} has no {section}"


def test_no_module_is_named_for_nothing() -> None:
    for path in FILES:
        assert path.stem not in ("utils", "util", "helpers", "helper", "manager", "common", "misc", "handler"), path


def codes_in_source() -> set[str]:
    found = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and CODE.match(text) and not text.endswith(SUFFIXES):
                found.add(text)
    return found


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    documented = set(
        re.findall(r"^\| `([a-z0-9.-]+)` \|", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert codes_in_source() == documented


def test_every_setting_is_documented() -> None:
    documented = set(
        re.findall(r"^\| `MARTELLO_([A-Z]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    )
    assert {name.lower() for name in documented} == set(Settings.__struct_fields__)


def test_every_class_named_in_the_glossary_exists() -> None:
    import martello.records as records
    import martello.stats.estimate as estimate

    for name in re.findall(r"\(`([A-Z][A-Za-z]+)`\)", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")):
        assert hasattr(records, name) or hasattr(estimate, name), name


def test_the_generated_parts_of_the_docs_are_as_generated() -> None:
    from docs.generate import PAGES, current, generated

    for page in PAGES:
        assert current(page) == generated(page), f"{page} has drifted: run `make docs`"


def test_links_between_the_docs_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
