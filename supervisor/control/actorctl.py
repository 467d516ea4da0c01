"""The `actorctl` command: looks at the tree of a running service and steers it.

Exit codes: 0 done; 1 the service said no; 2 wrong usage; 3 no service answers. Answers go to stdout, errors to stderr.
It imports neither trio nor msgspec: most of the time it takes is Python's own start. A verb is one line in `COMMANDS`;
a program built on this runtime gives `main` its own verbs beside these.
"""

import json
import os
import sys
import time
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from supervisor.control import drawing
from supervisor.control.client import call
from supervisor.control.drawing import Json, Style
from supervisor.control.errors import NoAnswer, NoService, Refused

DONE: Final = 0
REFUSED: Final = 1
NO_SERVICE: Final = 3
INTERRUPTED: Final = 130
"""What a shell reports of a command that Ctrl-C ended."""
PRETTY: Final = "├└─│↻●–…"


class Command(NamedTuple):
    """A verb here: its line of help, how its answer looks, what it takes, and in how many seconds it gives up.

    `sent`: those of its arguments that the service gets. The service gives up earlier, and says why.
    """

    summary: str
    show: Callable[[Json, Style], list[str]]
    arguments: Callable[[ArgumentParser], None]
    patience: float = 5.0
    sent: tuple[str, ...] = ("path",)


class Group(NamedTuple):
    """Commands under one word: `approve` of the group `pair` is the verb `pair approve`.

    `default`: the command that the word alone stands for; it takes no arguments, unless the group is `open`: then it
    also gets all words that begin with no command.
    """

    summary: str
    commands: Mapping[str, Command]
    default: str
    open: bool = False


def main(
    argv: Sequence[str] | None = None,
    *,
    default_socket: Callable[[], str] | None = None,
    start_hint: str = "",
    more: Mapping[str, Command | Group] | None = None,
) -> int:
    """Do what the arguments say, and return the exit code. Wrong usage raises `SystemExit(2)`, as argparse does.

    `default_socket` is asked for the socket's path when there is no `--socket`; without it that option is required.
    `start_hint`: a sentence on how the service is started. `more`: commands beside the runtime's own.
    """
    commands = {**COMMANDS, **(more or {})}
    parser = _parser(commands)
    options = parser.parse_args(_spelt_out(sys.argv[1:] if argv is None else argv, commands))
    if options.socket is None and default_socket is None:
        parser.error("say which service: --socket FILE")
    try:
        path = options.socket or (default_socket() if default_socket else "")
        return _write(_ask(path, commands[options.verb], options))
    except Refused as error:
        return _complain(str(error), REFUSED)
    except NoService as error:
        return _complain(f"{error}. {start_hint}" if start_hint else str(error), NO_SERVICE)
    except NoAnswer as error:
        return _complain(str(error), NO_SERVICE)
    except KeyboardInterrupt:
        return INTERRUPTED


def _ask(path: str, command: Command | Group, options: Namespace) -> list[str]:
    verb = options.verb
    if isinstance(command, Group):
        verb, command = f"{verb} {options.word}", command.commands[options.word]
    answer = call(path, verb, {name: getattr(options, name) for name in command.sent}, timeout=command.patience)
    if not isinstance(answer, dict):
        raise NoAnswer(path, f"gave an answer that is not one to {verb}")
    if getattr(options, "depth", None) is not None:
        answer = drawing.pruned(answer, options.depth)
    if options.json:
        return [json.dumps(answer, ensure_ascii=False)]
    return command.show(answer, _style(options))


def _spelt_out(argv: Sequence[str], commands: Mapping[str, Command | Group]) -> list[str]:
    """The arguments, with the default command of an open group where it was left out."""
    words = list(argv)
    at = _next_word(words, 0)
    group = commands.get(words[at]) if at < len(words) else None
    if isinstance(group, Group) and group.open:
        following = _next_word(words, at + 1)
        helped = {"-h", "--help"} & set(words[at + 1 : following])
        if not helped and (following >= len(words) or words[following] not in group.commands):
            words.insert(at + 1, group.default)
    return words


def _next_word(words: Sequence[str], at: int) -> int:
    """Where the next one is that is no option and no option's value."""
    while at < len(words) and words[at].startswith("-"):
        at += 2 if len(words[at]) > len("--") and "--socket".startswith(words[at]) else 1
    return at


def _parser(commands: Mapping[str, Command | Group]) -> ArgumentParser:
    parser = ArgumentParser(prog="actorctl", description="Look at the tree of a running service and steer it.")
    _common_arguments(parser)
    # With `prog` argparse need not format a usage line to find it, for which it would import shutil.
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", prog=parser.prog)
    for name, command in commands.items():
        verb = verbs.add_parser(name, help=command.summary, description=command.summary)
        _common_arguments(verb, default=SUPPRESS)  # both before and after the verb; what is not said after it stays
        if isinstance(command, Command):
            command.arguments(verb)
            continue
        also = ", which takes what else is written" if command.open else ""
        verb.epilog = f"Without a command: {command.default}{also}."
        words = verb.add_subparsers(dest="word", metavar="COMMAND", prog=verb.prog)
        verb.set_defaults(word=command.default)
        for word, one in command.commands.items():
            below = words.add_parser(word, help=one.summary, description=one.summary)
            _common_arguments(below, default=SUPPRESS)
            one.arguments(below)
    return parser


def _common_arguments(parser: ArgumentParser, default: str | None = None) -> None:
    parser.add_argument("--socket", metavar="FILE", default=default, help="the control socket of the service")
    parser.add_argument("--json", action="store_true", default=default, help="print the answer as JSON, for scripts")
    parser.add_argument("--ascii", action="store_true", default=default, help="draw without Unicode")


def _part(parser: ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", default="/", metavar="PATH", help="only this part of the tree")
    parser.add_argument("--depth", type=_depth, metavar="N", help="at most N levels below the top")


def _one(parser: ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="where it is in the tree")


def _depth(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a number of levels")
    return int(text)


def _restarted(node: Json, _: Style) -> list[str]:
    return [f"{drawing.clean(str(node['path']))} was restarted and is {node['state']}"]


COMMANDS: Final[Mapping[str, Command | Group]] = {
    "tree": Command("the tree, one line for each actor", drawing.tree, _part),
    "status": Command("all about one actor, and what happened to it lately", drawing.status, _one),
    "restart": Command("stop an actor, or a part of the tree, and start it again", _restarted, _one, patience=15.0),
}
"""The runtime's own commands."""


def _style(options: Namespace) -> Style:
    terminal = sys.stdout.isatty()
    return Style(
        now=time.time(),
        ascii_only=bool(options.ascii) or not _can_print(PRETTY),
        colour=terminal and not os.environ.get("NO_COLOR"),
        width=os.get_terminal_size(sys.stdout.fileno()).columns or None if terminal else None,
    )


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _write(lines: list[str]) -> int:
    try:
        # What people wrote may hold characters that this terminal has not.
        data = "".join(f"{line}\n" for line in lines).encode(sys.stdout.encoding, "replace")
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:  # `actorctl tree | head`: they have seen enough, and Python must not flush again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"actorctl: {sentence}\n")
    return code
