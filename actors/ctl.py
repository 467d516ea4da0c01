"""The `actorctl` command of this service: the runtime's command, told where our socket is, and our own verbs.

Speaks to nobody itself; what it asks for is done in `verbs`. It stays as light as `paths`, because people wait for it.
"""

import os
import sys
from argparse import ArgumentParser
from typing import Final

from actors.errors import ConfigurationError
from actors.paths import socket_path
from supervisor.control import actorctl
from supervisor.control.actorctl import Command, Group
from supervisor.control.drawing import Json, Style, clean, lasting, moment, table

START_HINT: Final = "Start it with: dispatchd run"


def main() -> int:
    """Run the command; returns its exit code."""
    try:
        return actorctl.main(default_socket=lambda: str(socket_path(os.environ)), start_hint=START_HINT, more=COMMANDS)
    except ConfigurationError as error:
        sys.stderr.write(f"actorctl: {error}\n")
        return 2


# --- how answers look -------------------------------------------------------------------------------------------------


def _pairings(answer: Json, style: Style) -> list[str]:
    rows = [
        (str(each["code"]), _who(each, "person"), f"for {lasting(moment(str(each['expires_at'])) - style.now)}")
        for each in _list(answer, "pairings")
    ]
    return table(("CODE", "WHO", "GOOD"), rows, style) if rows else ["Nobody waits to be let in."]


def _approved(answer: Json, _: Style) -> list[str]:
    person = answer["approved"]
    assert isinstance(person, dict)
    owns = ", and is the owner" if person["owner"] else ""
    return [f"{_who(person, 'id')} may speak to the service now{owns}."]


def _denied(answer: Json, _: Style) -> list[str]:
    return [f"The code {clean(str(answer['denied']))} lets nobody in any more."]


def _people(answer: Json, style: Style) -> list[str]:
    rows = [
        (_who(each, "id"), "owner" if each["owner"] else "member", f"{lasting(style.now - moment(str(each['since'])))}")
        for each in _list(answer, "people")
    ]
    return table(("WHO", "IS", "SINCE"), rows, style) if rows else ["Nobody was approved."]


def _removed(answer: Json, _: Style) -> list[str]:
    return [f"{answer['removed']} may no longer speak to the service, unless the configuration names them."]


def _who(person: Json, key: str) -> str:
    return f"{clean(str(person['name']))} ({person[key]})"


def _list(answer: Json, key: str) -> list[Json]:
    found = answer[key]
    assert isinstance(found, list)
    return found


# --- what can be asked ------------------------------------------------------------------------------------------------


def _nothing(_: ArgumentParser) -> None:
    pass


def _code(parser: ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", help="what the stranger was told")


def _id(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=int, metavar="ID", help="the person's number on Telegram")


COMMANDS: Final = {
    "pair": Group(
        "who may speak to the service",
        {
            "list": Command("the codes that wait for a word", _pairings, _nothing, sent=()),
            "approve": Command("let in whom this code was made for", _approved, _code, sent=("code",)),
            "deny": Command("take a code back", _denied, _code, sent=("code",)),
            "people": Command("who was approved", _people, _nothing, sent=()),
            "remove": Command("let somebody who was approved in no more", _removed, _id, sent=("id",)),
        },
        default="list",
    )
}
