"""The `actorctl` command of this service: the runtime's command, told where our socket is, and our own verbs.

Speaks to nobody itself; what it asks for is done in `verbs`. It stays as light as `paths`, because people wait for it.
"""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Final

from actors.errors import ConfigurationError
from actors.paths import socket_path
from supervisor.control import actorctl
from supervisor.control.actorctl import Command, Group
from supervisor.control.drawing import Json, Style, clean, clipped, lasting, memory, moment, table

LONGEST_ID: Final = 200
"""Characters."""
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


def _quarantined(answer: Json, style: Style) -> list[str]:
    rows = [
        (
            str(each["id"]),
            str(each["room"]),
            str(each["name"]),
            f"{lasting(style.now - moment(str(each['set_aside_at'])))} ago",
            str(each["text"]),
        )
        for each in _list(answer, "quarantined")
    ]
    head = ("ID", "ROOM", "FROM", "SET ASIDE", "TEXT")
    return table(head, rows, style) if rows else ["Nothing is in quarantine."]


def _shown(answer: Json, style: Style) -> list[str]:
    message = answer["message"]
    assert isinstance(message, dict)
    head = f"Message {message['id']} of {clean(str(message['name']))} in {clean(str(message['room']))}"
    text = [f"  {clean(line)}" for line in str(message["text"]).splitlines()]
    since = lasting(style.now - moment(str(message["set_aside_at"])))
    return [f"{head}, set aside {since} ago:", "", *text, "", *_traced(answer, style)]


def _retried(answer: Json, _: Style) -> list[str]:
    return [f"Message {each['id']} waits in {clean(str(each['room']))} once more." for each in _list(answer, "retried")]


def _dropped(answer: Json, _: Style) -> list[str]:
    return [
        f"Message {each['id']} of {clean(str(each['room']))} is dropped; its room is told."
        for each in _list(answer, "dropped")
    ]


def _traced(answer: Json, style: Style) -> list[str]:
    hops = _list(answer, "hops")
    times = [datetime.fromisoformat(str(hop["at"])) for hop in hops]
    rows = [
        (
            at.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            f"+{_exactly((at - times[0]).total_seconds())}",
            str(hop["what"]),
            str(hop["where"]),
            str(hop["id"]),
        )
        for at, hop in zip(times, hops, strict=True)
    ]
    return table(("TIME", "AFTER", "WHAT", "WHERE", "ID"), rows, style)


def _agents(answer: Json, style: Style) -> list[str]:
    rows = [_agent(each, style) for each in _list(answer, "agents")]
    head = ("ID", "STATE", "AGE", "DEPTH", "PARENT", "PID", "MEMORY", "DOING")
    lines = table(head, rows, style) if rows else ["There is no sub-agent, and none ended in the last day."]
    return [*lines, "", clipped(clean(str(answer["sandbox"])), style)] if "sandbox" in answer else lines


def _agent(agent: Json, style: Style) -> tuple[str, ...]:
    """Its line: who ended did so some time ago, who is open is so old."""
    ended = agent.get("ended_at")
    at = lasting(style.now - moment(str(ended or agent["created_at"])))
    held = agent.get("memory")
    return (
        str(agent["id"]),
        str(agent["state"]),
        f"{at} ago" if ended else at,
        str(agent["depth"]),
        str(agent.get("parent", agent["room"])),
        str(agent.get("pid", "")),
        memory(held) if isinstance(held, int) else "",
        str(agent.get("doing", "")),
    )


def _logged(answer: Json, style: Style) -> list[str]:
    agent, lines = answer["agent"], answer["lines"]
    assert isinstance(agent, dict)
    assert isinstance(lines, list)
    doing = f": {agent['doing']}" if "doing" in agent else ""
    head = clean(f"Sub-agent {agent['id']} of {agent['room']}, {agent['state']}{doing}")
    text = [*lines] or ["It has not said yet what it does." if "ended_at" not in agent else "Nothing is known of it."]
    report = str(answer.get("report", "")).splitlines()
    said = ["", *(f"  {clean(line)}".rstrip() for line in report)] if report else []
    return [clipped(head, style), f"  {clean(str(agent['task']))}", "", *(clean(str(line)) for line in text), *said]


def _ended(answer: Json, _: Style) -> list[str]:
    ending = answer["ending"]
    assert isinstance(ending, list)
    return [f"{clean(str(each))} is being ended." for each in ending]


def _exactly(seconds: float) -> str:
    """A length of time, in milliseconds while they matter."""
    return f"{round(seconds * 1000)} ms" if seconds < 10 else lasting(seconds)


def _who(person: Json, key: str) -> str:
    return f"{clean(str(person['name']))} ({person[key]})"


def _list(answer: Json, key: str) -> list[Json]:
    found = answer[key]
    assert isinstance(found, list)
    return found


# --- what can be asked ------------------------------------------------------------------------------------------------


def _number(text: str, least: int = -(2**63)) -> int:
    """An id that the service can look for: of any other there is nobody, and nothing."""
    if text.removeprefix("-").isdecimal() and len(text) < 30 and least <= int(text) < 2**63:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not the number of anything")


def _counted(text: str) -> int:
    return _number(text, 1)


def _named(text: str) -> str:
    if 0 < len(text.strip()) <= LONGEST_ID:
        return text.strip()
    raise ArgumentTypeError(f"an id has 1 to {LONGEST_ID} characters")


def _nothing(_: ArgumentParser) -> None:
    pass


def _code(parser: ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", help="what the stranger was told")


def _id(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=_number, metavar="ID", help="the person's number on Telegram")


def _message(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=_counted, metavar="ID", help="the message, as the list calls it")


def _messages(parser: ArgumentParser) -> None:
    parser.add_argument("ids", type=_counted, nargs="+", metavar="ID", help="a message, as the list calls it")


def _one_agent(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=_named, metavar="ID", help="the sub-agent, as the list calls it")


def _some_agents(parser: ArgumentParser) -> None:
    parser.add_argument("of", type=_named, nargs="?", metavar="ROOM", help="only those of a room, or below a sub-agent")
    parser.add_argument("--all", action="store_true", help="also those that ended more than a day ago")


def _any_id(parser: ArgumentParser) -> None:
    parser.add_argument(
        "message",
        type=_named,
        metavar="MESSAGE",
        help="any id of it: of its update, in the chat (its own or its answer's), of its turn, of a sub-agent",
    )


COMMANDS: Final[dict[str, Command | Group]] = {
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
    ),
    "quarantine": Group(
        "messages that were cut off too often and are set aside",
        {
            "list": Command("what is set aside", _quarantined, _nothing, sent=()),
            "show": Command("the whole text of one, and which way it took", _shown, _message, sent=("id",)),
            "retry": Command("try these once more, with all of their turn", _retried, _messages, sent=("ids",)),
            "drop": Command("never do these, nor the rest of their turn", _dropped, _messages, sent=("ids",)),
        },
        default="list",
    ),
    "agents": Group(
        "sub-agents: what they do, or how they ended",
        {
            "list": Command("those that are open, or ended in the last day", _agents, _some_agents, sent=("of", "all")),
            "cancel": Command("end one, and all that it began", _ended, _one_agent, sent=("id",)),
        },
        default="list",
        open=True,
    ),
    "logs": Command("what a sub-agent did, and its report", _logged, _one_agent, sent=("id",)),
    "trace": Command("which way a message took, and when", _traced, _any_id, sent=("message",)),
}
