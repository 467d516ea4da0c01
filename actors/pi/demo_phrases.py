"""What the demo model answers: a conversation and the offered tools in, the steps of one model turn out.

`demo_wire` brings the conversation here and turns the steps into the wire format. Pure: no trio, no clock, no
randomness; where one stands in a message of several phrases is read off the tool results that follow it. It is no
language model: it exists so that the real pi, with its real tools, can be seen at work without an account.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import islice

RESUME_MARK = "[dispatchd]"
"""A user message that begins with this is a note from the host (such as: it restarted, go on), not a person's word."""
REPORT_MARK = "[Report of sub-agent"
"""A line that begins with this begins what others have said: from there on a user message holds no phrases."""
TASK_MARK = "[You are a sub-agent:"
"""What stands before a line that begins with this is a task, in which `;;` ends a line."""

MAX_PHRASES = 64
MAX_SLOW_WORDS = 2000
_ECHO_CHARS = 400
_RESULT_HEAD_CHARS = 1000
_RESULT_TAIL_CHARS = 500

_USAGE = {
    "run": "run: <shell command>",
    "write": "write: <file> <text>",
    "ask": "ask: <question>",
    "send": "send: <file>",
    "slow": "slow: <n words>",
    "spawn": "spawn: <task>",
    "delegate": "delegate: <task>",
    "check": "check: <id>",
    "cancel": "cancel: <id>",
    "merge": "merge: <id>",
    "progress": "progress: <text>",
    "search": "search: <words>",
}
_RESULT_TITLES = {
    "bash": "The command printed:",
    "write": "The file is written:",
    "ask_user": "The answer to the question:",
    "send_file": "The file is sent:",
    "spawn_subagent": "The sub-agent tool answered:",
    "check_subagent": "The sub-agent tool answered:",
    "cancel_subagent": "The sub-agent tool answered:",
    "apply_subagent": "The sub-agent tool answered:",
    "report_progress": "The progress is reported:",
    "search_history": "The search answered:",
}
_PHRASE_LINE = re.compile(rf"^[ \t]*({'|'.join(_USAGE)}):(.*)$", re.IGNORECASE | re.MULTILINE)
_REPORT_LINE = re.compile(rf"^{re.escape(REPORT_MARK)} ?([^\s.]*)", re.MULTILINE)
_TASK_LINE = re.compile(rf"^{re.escape(TASK_MARK)}", re.MULTILINE)
_LINE_END = re.compile(r"(?<!\S);;((?:;;)*)(?!\S)")
"""Two semicolons; of more, two are taken off, so that a task can be given on within a task."""
_HELP_LINE = re.compile(r"^[ \t]*/?help[!?.]?\s*$", re.IGNORECASE | re.MULTILINE)
# The wire format does not say whether a tool result is an error, so its text must: these are pi's own words for it.
_NO_RESULT = "No result provided"
_NOT_RUN = re.compile(r"Tool \S+ not found|Validation failed for tool|Operation aborted")
_COMMAND_FAILED = re.compile(r"Command (exited with code \d+|timed out after .*|aborted)")


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the conversation: its role (such as "user" or "tool") and its text, parts joined by line ends."""

    role: str
    text: str


class Pace(Enum):
    """How fast words are streamed; the seconds are the server's."""

    NATURAL = auto()
    SLOW = auto()


@dataclass(frozen=True, slots=True)
class Say:
    """Text to stream, in pieces that each carry the white space before them: joined, they are the text."""

    words: tuple[str, ...]
    pace: Pace = Pace.NATURAL


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call, always the last step of its turn. `id` is unique within the conversation."""

    tool: str
    arguments: dict[str, object]
    id: str


Step = Say | Call


@dataclass(frozen=True, slots=True)
class _Phrase:
    verb: str
    rest: str


def answer(conversation: Sequence[Said], tools: Collection[str]) -> list[Step]:
    """Give the steps of the next model turn: at least one; says first, at most one call, and that the last.

    `tools` are the names that the request offers. Equal arguments give an equal answer.
    """
    text, results = _last_exchange(conversation)
    phrases = _phrases(text)
    if not phrases and not results:
        return [_say(_small_talk(text))]
    call_id = f"call_{len(conversation)}"
    steps: list[Step] = []
    calls = 0
    for phrase in phrases[:MAX_PHRASES]:
        step = _step(phrase, tools, call_id)
        if isinstance(step, Say):
            if calls == len(results):
                steps.append(step)
            continue
        calls += 1
        if calls == len(results):
            steps.append(_report(step.tool, results[-1]))
        elif calls > len(results):
            steps.append(step)
            break
    else:
        if len(phrases) > MAX_PHRASES:
            steps.append(_say(f"I did the first {MAX_PHRASES} lines; that is as many as I do for one message."))
    # More results than calls: the tools on offer have changed since. The newest result is still worth showing.
    return _as_paragraphs(steps or [_report("", results[-1])])


def _last_exchange(conversation: Sequence[Said]) -> tuple[str, list[str]]:
    """Split off what the person said last, "" for nothing, and the tool results since then, in order."""
    results: list[str] = []
    for said in reversed(conversation):
        if said.role == "tool":
            results.append(said.text)
        elif said.role == "user" and not said.text.lstrip().startswith(RESUME_MARK):
            return said.text, results[::-1]
    return "", results[::-1]


def _phrases(text: str) -> list[_Phrase]:
    """The first phrases, in order; one more than is done, so that one sees that there are too many."""
    own = _before(_REPORT_LINE, text)
    task = _before(_TASK_LINE, own)
    if len(task) < len(own):
        own = _LINE_END.sub(lambda found: found[1] or "\n", task)
    found = islice(_PHRASE_LINE.finditer(own), MAX_PHRASES + 1)
    return [_Phrase(match[1].lower(), match[2].strip()) for match in found]


def _before(mark: re.Pattern[str], text: str) -> str:
    found = mark.search(text)
    return text if found is None else text[: found.start()].rstrip()


def _step(phrase: _Phrase, tools: Collection[str], call_id: str) -> Step:
    rest = phrase.rest
    tool: str = ""
    arguments: dict[str, object] = {}
    match phrase.verb:
        case "run" if rest:
            tool, arguments = "bash", {"command": rest}
        case "write" if len(rest.split(maxsplit=1)) == 2:
            path, content = rest.split(maxsplit=1)
            tool, arguments = "write", {"path": path, "content": content}
        case "ask" if rest:
            tool, arguments = "ask_user", {"question": rest}
        case "send" if rest:
            tool, arguments = "send_file", {"path": rest}
        case "spawn" if rest:
            tool, arguments = "spawn_subagent", {"task": rest}
        case "delegate" if rest:
            tool, arguments = "spawn_subagent", {"task": rest, "wait": True}
        case "check" if rest:
            tool, arguments = "check_subagent", {"id": rest}
        case "cancel" if rest:
            tool, arguments = "cancel_subagent", {"id": rest}
        case "merge" if rest:
            tool, arguments = "apply_subagent", {"id": rest}
        case "progress" if rest:
            tool, arguments = "report_progress", {"text": rest}
        case "search" if rest:
            tool, arguments = "search_history", {"query": rest}
        case "slow" if count := re.fullmatch(r"(\d{1,9})(\s+words?)?", rest):
            return _count_slowly(int(count[1]))
        case verb:
            return _say(f"That line is not complete; it is written so: `{_USAGE[verb]}`")
    if tool in tools:
        return Call(tool, arguments, call_id)
    match tool:
        case "ask_user":
            return _say(rest)
        case "spawn_subagent" | "check_subagent" | "cancel_subagent" | "apply_subagent":
            return _say("Sub-agents are not available here.")
        case _:
            return _say(f"The tool `{tool}` is not offered to me here, so I cannot do `{phrase.verb}: {_short(rest)}`.")


def _count_slowly(count: int) -> Say:
    """Count aloud: whoever stops or kills the answer sees exactly where it ended."""
    words = min(max(count, 1), MAX_SLOW_WORDS)
    return Say(("1", *(f" {n}" for n in range(2, words + 1))), Pace.SLOW)


def _report(tool: str, result: str) -> Say:
    if result.strip() == _NO_RESULT:
        return _say(f"The tool `{tool}` was interrupted and gave no result; I have not run it a second time.")
    if _is_failure(tool, result):
        title = f"The tool `{tool}` failed:"
    else:
        title = _RESULT_TITLES.get(tool, "The tool answered:")
    return _say(f"{title}\n\n{_code_block(_cut_middle(result.strip()))}")


def _is_failure(tool: str, result: str) -> bool:
    if _NOT_RUN.match(result):
        return True
    match tool:
        case "bash":  # its output may say anything; pi's verdict is the last line
            return _COMMAND_FAILED.fullmatch(result.rstrip().rpartition("\n")[2]) is not None
        case "write":
            return not result.startswith("Successfully wrote")
        case _:
            return result.startswith("Error")


def _small_talk(text: str) -> str:
    if reported := _REPORT_LINE.findall(text):
        return f"This is the demo model: I have heard from {', '.join(reported)}: “{_short(text)}”"
    text = _before(_TASK_LINE, text)
    if not text.strip() or _HELP_LINE.search(text):
        lines = "\n".join(f"- `{usage}`" for usage in _USAGE.values())
        return f"I am a demo model, and I understand these, alone on a line:\n\n{lines}\n\nAll else I repeat."
    return f"This is the demo model: you said “{_short(text)}”, and `help` shows what I can do."


def _short(text: str) -> str:
    one_line = " ".join(text[: _ECHO_CHARS + 1].split())
    return one_line if len(text) <= _ECHO_CHARS else f"{one_line}…"


def _cut_middle(text: str) -> str:
    """Keep the beginning and the end: of a long output those tell the most."""
    left_out = len(text) - _RESULT_HEAD_CHARS - _RESULT_TAIL_CHARS
    if left_out <= 0:
        return text
    return f"{text[:_RESULT_HEAD_CHARS]}\n… {left_out} characters left out …\n{text[-_RESULT_TAIL_CHARS:]}"


def _code_block(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _say(text: str) -> Say:
    return Say(tuple(re.findall(r"\s*\S+", text)))


def _as_paragraphs(steps: Sequence[Step]) -> list[Step]:
    """Set each say but the first off by an empty line."""
    return [
        replace(step, words=("\n\n" + step.words[0], *step.words[1:])) if at and isinstance(step, Say) else step
        for at, step in enumerate(steps)
    ]
