"""Write the generated parts of the docs: the commands' help, the table of the spec's keys. `make docs` runs it.

Generated text stands between `<!-- generated:NAME -->` and `<!-- /generated -->`; a test compares it with what is
generated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from martello.cli import build_parser
from martello.cli.table import COMMANDS

DOCS = Path(__file__).resolve().parent


def commands() -> str:
    """Give the help of every command."""
    os.environ["COLUMNS"] = "100"
    parts = ["```text", build_parser().format_help().rstrip(), "```"]
    for command in COMMANDS:
        parser = build_parser(only=command)
        choices = next(action.choices for action in parser._actions if action.dest == "command")
        assert isinstance(choices, dict)
        parts += ["", f"## martello {command.name}", "", "```text", choices[command.name].format_help().rstrip(), "```"]
    return "\n".join(parts)


def spec_reference() -> str:
    """Give the table of the spec's keys."""
    from martello.spec.editor_schema import spec_reference as reference

    return reference()


PAGES: dict[str, Callable[[], str]] = {"commands.md": commands, "spec.md": spec_reference}
_BLOCK = re.compile(r"(<!-- generated:[a-z-]+ -->\n)(.*?)(\n<!-- /generated(?::[a-z-]+)? -->)", re.DOTALL)


def current(page: str) -> str:
    """Give the generated part as it stands in a page."""
    match = _BLOCK.search((DOCS / page).read_text(encoding="utf-8"))
    assert match is not None, f"{page} has no generated part"
    return match.group(2).strip()


def generated(page: str) -> str:
    """Give the generated part as it should be."""
    return PAGES[page]().strip()


def write(page: str) -> None:
    """Put what is generated into a page."""
    path = DOCS / page
    text = path.read_text(encoding="utf-8")
    path.write_text(_BLOCK.sub(lambda match: match.group(1) + generated(page) + match.group(3), text), encoding="utf-8")


if __name__ == "__main__":
    for page in PAGES:
        write(page)
