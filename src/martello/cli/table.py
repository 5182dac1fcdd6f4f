"""The table of commands: name, what it answers, and the module that runs it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COMMANDS", "WORDS", "Command"]


class Command(NamedTuple):
    """One command; its module has `add_options(parser)` and `run(arguments) -> exit code`."""

    name: str
    summary: str
    module: str


#: The words of the loop that are built, in order.
WORDS = ("spec", "sample", "label", "features", "train", "evaluate", "ship", "serve", "order", "experiment", "iterate")

COMMANDS = (
    Command("spec", "write, check or show the agreement in martello.toml", "martello.cli.spec"),
    Command("sample", "draw units fairly and divide them; with a file, draw from it alone", "martello.cli.sample"),
    Command("label", "open the page on which people answer; or read, take in and settle answers", "martello.cli.label"),
    Command(
        "features",
        "compute declared inputs and features, look for leaks; show what each is worth, check serving against backfill",
        "martello.cli.features",
    ),
    Command("train", "train the constant rule, a logistic regression and LightGBM", "martello.cli.word"),
    Command("evaluate", "choose the threshold on dev and ask gold; or judge a file of scores", "martello.cli.evaluate"),
    Command("ship", "pass the gate and write the release", "martello.cli.word"),
    Command("serve", "answer over HTTP with a release, log every decision", "martello.cli.serve"),
    Command("order", "say whether results were re-arranged after they left the API", "martello.cli.order"),
    Command(
        "experiment",
        "compare what happened with what gold promised; or plan and judge a test on files",
        "martello.cli.experiment",
    ),
    Command("iterate", "measure what to do next", "martello.cli.word"),
    Command("traffic", "compare what was sampled with what the product meets", "martello.cli.traffic"),
    Command("run", "go round the loop as far as possible without a person", "martello.cli.run"),
    Command("web", "open the loop, its numbers and how each was made, in a browser", "martello.cli.web"),
    Command("status", "say where in the loop the task stands", "martello.cli.status"),
    Command("log", "say what was made from what, when and by whom", "martello.cli.log"),
    Command("report", "write report.html again from the records", "martello.cli.report"),
    Command("demo", "go once round the loop on real data", "martello.cli.demo"),
    Command("doctor", "check versions, disk, engine, and say what is missing", "martello.cli.doctor"),
)
