"""`martello experiment`: the project's word; on files, a plan, a verdict, or what another policy would have earned."""

from __future__ import annotations

import argparse

from martello.cli import word

__all__ = ["add_options", "run"]

_ACTIONS = {
    "analyze": "judge an experiment from its sums or its events",
    "plan": "say how many weeks an experiment takes, before it starts",
    "offpolicy": "say from a log of random decisions what another policy would have earned",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the word takes, and the actions on files."""
    word.add_options(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions on files, no project")
    for name, summary in _ACTIONS.items():
        added = actions.add_parser(name, help=summary, description=summary)
        for option, settings in (("--json", {"action": "store_true"}), ("--project", {"metavar": "DIR"})):
            # The parser above has these, too: here they must not overwrite what was said there.
            added.add_argument(option, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **settings)  # type: ignore[arg-type]
        {"analyze": _add_analyze, "plan": _add_plan, "offpolicy": _add_offpolicy}[name](added)


def _add_analyze(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="sums by day (.json), or events (.parquet, .csv, a glob)")
    parser.add_argument("--contract", metavar="FILE", help="what was agreed (JSON; `plan --out` writes one)")
    _add_columns(parser)
    parser.add_argument("--arm", metavar="COL", help="which arm a unit is in")
    agreed = parser.add_argument_group("what was agreed, where there is no --contract")
    agreed.add_argument("--metric", metavar="M", help="a column, or A/B for a ratio of sums per unit")
    agreed.add_argument("--shares", metavar="A=S,B=S", help="planned shares of control and treatment, in this order")
    agreed.add_argument("--down", action="store_true", help="less is better")
    agreed.add_argument("--effect", metavar="E", help="smallest effect worth seeing: 2%% of the mean, or 0.5")
    agreed.add_argument("--looks", metavar="D,D", help="days of the looks (default: one, on the last day)")
    agreed.add_argument(
        "--guardrail", metavar="M:up|down:E", nargs="+", default=[], help="may not worsen by more than E"
    )
    agreed.add_argument("--secondary", metavar="M", nargs="+", default=[], help="reported; decides nothing")
    agreed.add_argument("--level", metavar="L", type=float, default=0.95, help="confidence (default: 0.95)")
    parser.add_argument("--history", metavar="FILE", help="write the sums by day of events here")


def _add_columns(parser: argparse.ArgumentParser) -> None:
    events = parser.add_argument_group("on events")
    events.add_argument("--unit", metavar="COL", help="what was assigned, such as a user")
    events.add_argument("--time", metavar="COL", help="when")
    events.add_argument("--covariate", metavar="COL", help="a number known before the start, which takes variance away")
    events.add_argument("--window", metavar="DAYS", type=int, help="days after its first event that count for a unit")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="the team's own log; or give --mean and the others")
    parser.add_argument("--metric", metavar="M", required=True, help="a column, or A/B for a ratio of sums per unit")
    parser.add_argument(
        "--effect", metavar="E", required=True, help="smallest effect worth seeing: 2%% of the mean, or 0.5"
    )
    _add_columns(parser)
    by_hand = parser.add_argument_group("without a log")
    by_hand.add_argument("--mean", metavar="M", type=float, help="of the metric per unit")
    by_hand.add_argument("--variance", metavar="V", type=float, help="of the metric per unit (default: of a share)")
    by_hand.add_argument("--explained", metavar="R2", type=float, help="share of it a covariate explains (default: 0)")
    parser.add_argument("--daily", metavar="N", type=float, help="new units a day, both arms (default: as in the log)")
    parser.add_argument("--kept", metavar="K", type=float, default=1.0, help="share of exposures shown as decided (1)")
    parser.add_argument("--share", metavar="S", type=float, default=0.5, help="of units in the treatment (0.5)")
    parser.add_argument("--power", metavar="P", type=float, default=0.8, help="chance to see the effect (0.8)")
    parser.add_argument("--level", metavar="L", type=float, default=0.95, help="confidence (0.95)")
    parser.add_argument("--min-days", metavar="D", type=int, default=14, help="first day it may ship (14)")
    parser.add_argument("--down", action="store_true", help="less is better")
    parser.add_argument("--out", metavar="FILE", help="write the contract of the plan here")


def _add_offpolicy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="Parquet or CSV, a row per decision")
    parser.add_argument("--reward", metavar="COL", required=True, help="what followed")
    parser.add_argument("--propensity", metavar="COL", required=True, help="chance the log had of the action it took")
    parser.add_argument("--target", metavar="COL", required=True, help="chance the other policy has of that action")
    parser.add_argument("--fitted", metavar="COL", help="a cross-fitted model's reward of that action")
    parser.add_argument("--fitted-target", metavar="COL", help="its mean reward over the other policy's actions")
    parser.add_argument("--fitted-rare", metavar="COL", help="the part of that from actions heavier than --most")
    parser.add_argument("--most", metavar="W", type=float, default=10.0, help="weight up to which the log is used (10)")
    parser.add_argument("--level", metavar="L", type=float, default=0.95, help="confidence (0.95)")


def run(arguments: argparse.Namespace) -> int:
    """Do one action on a file, or the project's word."""
    if arguments.action is None:
        return word.run(arguments)
    from martello.cli import experiment_file

    actions = {
        "analyze": experiment_file.analyze,
        "plan": experiment_file.plan,
        "offpolicy": experiment_file.offpolicy,
    }
    return actions[arguments.action](arguments)
