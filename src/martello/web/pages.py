"""Templates to text: one Jinja environment for every page, with the filters the templates share. What a page says is
the pages' own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

__all__ = ["guidelines_html", "moment", "written"]

_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=%)")


def written(template: str, **values: Any) -> str:
    """Give a page or a part of one as HTML; a number and its percent sign stay on one line."""
    return _NUMBER_AND_UNIT.sub("\u00a0", _environment().get_template(template).render(**values))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("martello.web"), jinja2.PackageLoader("martello.web", "static")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"commands": _commands, "moment": moment, "markdown": guidelines_html}
    return environment


def _commands(text: str) -> Markup:
    """Show what stands between backticks as something to type."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before it is marked up


@cache
def _markdown() -> MarkdownIt:
    # HTML in the text is shown as text; links of other schemes than the web's are refused by the library. Pictures
    # would be asked of other machines, which the page's policy forbids.
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def guidelines_html(text: str) -> Markup:
    """Give Markdown that somebody wrote as HTML that carries no script.

    Examples
    --------
    >>> print(guidelines_html("Say **yes** <script>"), end="")
    <p>Say <strong>yes</strong> &lt;script&gt;</p>
    """
    markdown = _markdown()
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # below the headings of the page they stand on
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704  # raw HTML is off: all is escaped


def moment(at: str | None) -> str:
    """Give a moment of the ledger as people read it, in UTC.

    Examples
    --------
    >>> moment("2026-11-24T02:19:14.123+00:00"), moment(None)
    ('24 Nov 2026, 02:19 UTC', '')
    """
    if not at:
        return ""
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        return at
    when = when.astimezone(UTC) if when.tzinfo else when
    return f"{when.day} {when:%b %Y, %H:%M} UTC"
