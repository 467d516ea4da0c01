"""`python -m tests.campaign [NAME] …`: the service under fire, in tables; `--help` names them and says how.

Each campaign is a module of this folder with `options(parser)`, which adds its own, and `run(options)`, which returns
its tables. Without a name all of them run, one after the other. The exit code is 1 if a promise was broken. Loopback
only; what a campaign starts, it ends.
"""

import argparse
import importlib
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from typing import Final, Protocol, cast

import trio

from tests.campaign.table import Line, Table, shown

NAMES: Final = ("kill", "isolation", "outage", "subagents", "figures")


class Campaign(Protocol):
    """What a campaign's module has."""

    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Awaitable[list[Table]]]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what the arguments name and prints the tables as they come."""
    campaigns = {name: load(name) for name in NAMES if find_spec(f"tests.campaign.{name}") is not None}
    options = parser(campaigns).parse_args(argv)
    names = list(campaigns) if options.name is None else [options.name]
    kept = True
    figures: list[Line] = []
    for name in names:
        chosen = options if options.name is not None else parser(campaigns).parse_args([name, *(argv or ())])
        say(f"{name}: seed {chosen.seed}\n")
        for table in trio.run(campaigns[name].run, chosen):
            say("\n" + shown(table) + "\n")
            kept = kept and not table.broken
            figures += table.figures
    if figures:
        say("\n" + shown(Table("figures", figures)) + "\n")
    return 0 if kept else 1


def load(name: str) -> Campaign:
    """The campaign of that name."""
    return cast("Campaign", importlib.import_module(f"tests.campaign.{name}"))


def parser(campaigns: dict[str, Campaign]) -> argparse.ArgumentParser:
    """The arguments; those of all campaigns have `--seed`."""
    found = argparse.ArgumentParser(prog="python -m tests.campaign", description="Try to break the service's promises.")
    verbs = found.add_subparsers(dest="name", metavar="CAMPAIGN", help=", ".join(campaigns) + "; all of them without")
    for name, campaign in campaigns.items():
        verb = verbs.add_parser(name, help=(sys.modules[f"tests.campaign.{name}"].__doc__ or "").split("\n", 1)[0])
        verb.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="replays a run")
        campaign.options(verb)
    return found


def say(text: str) -> None:
    """Says how it goes, and what came of it."""
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
