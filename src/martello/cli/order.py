"""`martello order audit`: did a page show the lists as they were decided? On two files, without a project.

The numbers are `martello.order`'s, and so is the sentence; here they become a table. What computes is imported when it
is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from martello.cli.terminal import bold, columns, paragraph, print_json, say
from martello.errors import DataError

if TYPE_CHECKING:
    from martello.order.report import GroupRate, OrderReport

__all__ = ["add_options", "run"]

_SHAPES = ("martello", "ubi", "personalize", "algolia", "metarank")
_FIELDS = ("surface", "build", "client", "arm", "subject")
_MOST_ROWS = 12


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the one action and what it takes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    summary = "hold what pages showed against what was decided"
    audit = actions.add_parser("audit", help=summary, description=summary)
    # The parser above has these, too: here they must not overwrite what was said there.
    audit.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    audit.add_argument("--project", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    audit.add_argument("decisions", metavar="DECISIONS", help="what left the API: lines of JSON, also .gz")
    audit.add_argument("renders", metavar="RENDERS", help="what pages showed, and clicks: lines of JSON, also .gz")
    audit.add_argument("--shape", choices=_SHAPES, default="martello", help="whose logs they are (default: martello)")
    audit.add_argument("--allow", metavar="FILE", help="TOML with the declared edits under [order], or martello.toml")
    audit.add_argument("--keys", metavar="FILE", help="keyring in JSON; then seals in the renders are opened")
    audit.add_argument("--tolerance", metavar="SHARE", type=float, default=0.0, help="violated lists agreed to")
    audit.add_argument("--window", metavar="HOURS", type=float, help="time that a decision has to be shown in")
    for name in _FIELDS:
        audit.add_argument(f"--{name}", metavar="PATH", help=f"where a row holds the {name}, such as attributes.{name}")
    audit.add_argument("--level", metavar="L", type=float, default=0.95, help="confidence (default: 0.95)")
    audit.add_argument("--page", metavar="OUT.html", help="write the report as one page, too")


def run(arguments: argparse.Namespace) -> int:
    """Audit two files; 1 when the order is not shown to be kept."""
    from martello.order.audit import audit_files
    from martello.order.edits import read_edits_file
    from martello.order.keys import read_keyring
    from martello.order.shapes import Fields
    from martello.stats.estimate import Verdict

    page = _target(arguments)
    found = audit_files(
        Path(arguments.decisions),
        Path(arguments.renders),
        shape=arguments.shape,
        edits=read_edits_file(_content(arguments.allow), name=arguments.allow) if arguments.allow else None,
        keys=read_keyring(_content(arguments.keys)) if arguments.keys else None,
        fields=Fields(**{name: getattr(arguments, name) for name in _FIELDS}),
        tolerance=_share(arguments.tolerance),
        window=None if arguments.window is None else int(arguments.window * 3_600_000_000),
        level=arguments.level,
    )
    if page is not None:
        from martello.store.blobs import write_atomically
        from martello.web.order_page import order_html

        write_atomically(page, order_html(found, source=Path(arguments.renders).name).encode())
    if arguments.json:
        print_json(found)
    else:
        say(*_lines(found), *([f"Page: {page}"] if page else []))
    return 0 if found.verdict is Verdict.MET else 1


def _content(name: str) -> bytes:
    path = Path(name)
    if not path.is_file():
        raise DataError("order.no-file", f"there is no file {path}", where=name, expected="a file that is there")
    return path.read_bytes()


def _share(value: float) -> float:
    if not 0 <= value < 1:
        raise DataError(
            "order.not-a-share", f"{value:g} is no share", where="--tolerance", expected="0 or more, under 1"
        )
    return value


def _target(arguments: argparse.Namespace) -> Path | None:
    """Give where the page goes, checked before anything is computed."""
    if arguments.page is None:
        return None
    page = Path(arguments.page)
    if page.suffix != ".html" or not page.parent.is_dir():
        raise DataError(
            "order.no-page", f"no page can be written to {page}", where="--page", expected="NAME.html in a directory"
        )
    return page


def _lines(found: OrderReport) -> Iterator[str]:
    """Write a report: the sentence, the kinds, the groups, the cost, what to do next."""
    from martello.order.sentence import headline, next_step, say_share, supporting

    yield bold(paragraph(headline(found)))
    yield ""
    yield from columns(
        [
            ("decisions", f"{found.decisions:,}", ""),
            ("lists seen", f"{found.lists:,}", f"of {found.renders:,} renders"),
            ("kept", f"{found.kept:,}", ""),
            ("changed", f"{found.violated:,}", say_share(found.rate)),
            *((name, f"{n:,}", "") for name, n in (("by user", found.by_user),) if n),
            *((name, f"{n:,}", "") for name, n in (("unverifiable", found.unverifiable),) if n),
        ]
    )
    if found.kinds:
        yield from ("", "  what was changed")
        yield from columns([(each.kind, f"{each.n:,}", say_share(each.share)) for each in found.kinds], indent="    ")
        yield from (
            paragraph(f"{each.kind}: {each.examples[0]}", indent="    ") for each in found.kinds if each.examples
        )
    for by in dict.fromkeys(group.by for group in found.groups):
        groups = [group for group in found.groups if group.by == by]
        if len(groups) > 1:
            yield from _group_lines(by, groups)
    if found.violated:
        yield from ("", "  what it costs")
        yield from columns(_costs(found), indent="    ")
    yield ""
    yield from map(paragraph, supporting(found))
    yield ""
    yield paragraph(next_step(found))


def _group_lines(by: str, groups: list[GroupRate]) -> Iterator[str]:
    from martello.order.sentence import say_moment, say_share

    worst = sorted(groups, key=lambda each: (-each.violated / each.lists, each.value))
    yield from ("", f"  by {by}")
    yield from columns(
        [
            (
                g.value,
                f"{g.lists:,}",
                say_share(g.rate),
                f"since {say_moment(g.first_violated_at)}" if g.first_violated_at else "",
            )
            for g in worst[:_MOST_ROWS]
        ],
        indent="    ",
    )
    if len(worst) > _MOST_ROWS:
        yield f"    … and {len(worst) - _MOST_ROWS} more; --json has all"


def _costs(found: OrderReport) -> Iterator[tuple[str, str]]:
    from martello.order.sentence import say_number, say_share

    harm = found.harm
    yield "pairs in the wrong order", say_share(harm.disorder)
    for name, measure, digits in (
        ("attention moved per list", harm.displacement, 2),
        ("clicks lost", harm.lost_clicks, 0),
    ):
        yield name, say_number(measure, digits)
    yield "share of clicks lost", say_share(harm.lost_share)
    yield "effect of a ranking kept", say_share(harm.effect_kept)
    yield "times the sample of a test", say_number(harm.sample_factor, 1)
