"""What the console shows, as text: progress, deliveries and notices in, pieces to write out.

Used by `terminal`, which writes them. Pure: it remembers what is on the screen and writes nothing itself. All text
passes `harmless` on its way, so that no model, tool or file name can drive the terminal.
"""

from collections import deque
from typing import Final, NamedTuple

from actors.messages import Delivery, DeliveryKind, ShowProgress

REPEATED: Final = "(may be a repetition)"
"""Stands above a delivery that an earlier run of the service may have shown already."""
CHOOSE: Final = "(type one of them)"
"""Stands below the choices of a question: there is nothing to press here."""

MOST_OFFERS: Final = 64
"""So many buttons, the newest, can be pressed by their numbers."""

_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"
_ANSWERED_KEPT: Final = 16

_PICTURES: Final[dict[int, str]] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    ord("\r"): "",  # a return before a newline adds nothing, and alone it would write over the line
}
del _PICTURES[ord("\n")], _PICTURES[ord("\t")]


def harmless(text: str) -> str:
    """The text with each control character but newline and tab as a picture of itself. Works character by character."""
    return text.translate(_PICTURES)


class Piece(NamedTuple):
    """Something to write. `aside`: it is about the answer rather than part of it, so it goes to stderr."""

    text: str
    aside: bool = False


class Screen:
    """One person's view of one room: each text once, each tool once, every message from the start of a line.

    White space before a text is not shown, because it is no part of every form in which the text comes.
    `dim`: whether asides may be dimmed; without it no escape sequence is ever made. `offers`: by its number, what each
    button on the screen stands for, at most `MOST_OFFERS`.
    """

    def __init__(self, *, dim: bool) -> None:
        self.offers: dict[int, str] = {}
        self._offered = 0
        self._dim = dim
        self._mid_line = False
        self._answered: deque[str] = deque(maxlen=_ANSWERED_KEPT)
        self._begin(None)

    def progress(self, message: ShowProgress) -> list[Piece]:
        """What a running turn has to show that it has not shown yet; nothing once its answer is on the screen.

        A text that does not continue the one before is the agent's next message, and begins a line of its own.
        """
        if message.turn in self._answered:
            return []
        pieces: list[Piece] = []
        if message.turn != self._turn:
            pieces += self.close()
            self._begin(message.turn)
        text = message.text.lstrip()
        shown = self._messages[-1]
        if shown and text.startswith(shown):
            self._messages[-1] = text
            return [*pieces, *self._say(text[len(shown) :]), *self._tools(message.tools)]
        # The tools ran between the two messages. A line that still grows is finished first instead: see above.
        pieces += self._tools(message.tools)
        if shown:
            pieces += self.close()
            self._messages.append("")
        self._messages[-1] = text
        return pieces + self._say(text)

    def delivery(self, delivery: Delivery) -> list[Piece]:
        """A message to the person, whole, or the rest of it if it is the answer that was being shown.

        Of a file its path is shown, of a question's buttons what they say; the others get a number to be pressed by.
        """
        pieces: list[Piece] = []
        rest = self._rest(delivery)
        if rest is None:
            pieces += self.close()
            pieces += self._say(f"{REPEATED}\n" if delivery.doubtful else "")
            rest = delivery.text.lstrip()
        pieces += self._say(rest)
        pieces += self.close()
        pieces += self._say("".join(f"{line}\n" for line in _below(delivery)))
        if delivery.footer:
            pieces += self.notice(delivery.footer)
        if delivery.kind is not DeliveryKind.QUESTION and delivery.keys:
            pieces += self.notice(self._offer(delivery))
        if delivery.kind is DeliveryKind.ANSWER and delivery.turn is not None:
            self._answered.append(delivery.turn)
            if delivery.turn == self._turn:
                self._begin(None)
        return pieces

    def notice(self, text: str, *, dim: bool = True) -> list[Piece]:
        """A word of the console itself, on lines of its own."""
        styled = f"{_DIM}{harmless(text)}{_PLAIN}" if dim and self._dim else harmless(text)
        return [*self.close(), Piece(f"{styled}\n", aside=True)]

    def close(self) -> list[Piece]:
        """Ends the line if one is begun."""
        return self._say("\n") if self._mid_line else []

    def _offer(self, delivery: Delivery) -> str:
        """The buttons in one line. A number is used once, so that none means another thing while it is typed."""
        said: list[str] = []
        for key in (key for row in delivery.keys for key in row):
            self._offered += 1
            self.offers[self._offered] = key.data
            said.append(f"/{self._offered} {key.label}")
        for old in list(self.offers)[:-MOST_OFFERS]:
            del self.offers[old]
        return " · ".join(said)

    def _begin(self, turn: str | None) -> None:
        self._turn = turn
        self._messages = [""]
        self._seen: tuple[str, ...] = ()

    def _say(self, text: str) -> list[Piece]:
        text = harmless(text)
        if not text:
            return []
        self._mid_line = not text.endswith("\n")
        return [Piece(text)]

    def _tools(self, tools: tuple[str, ...]) -> list[Piece]:
        """The lines that are new. The oldest may have gone from a long list, and a line may have got a word more."""
        known = next(
            len(self._seen) - gone
            for gone in range(len(self._seen) + 1)
            if len(tools) >= len(self._seen) - gone
            and all(new.startswith(old) for new, old in zip(tools, self._seen[gone:], strict=False))
        )
        self._seen = tools
        return [piece for tool in tools[known:] for piece in self.notice("⚙ " + " ".join(tool.split()))]

    def _rest(self, delivery: Delivery) -> str | None:
        """What is missing of an answer whose beginning is on the screen; None if its beginning is not.

        An answer is the agent's last message or all of them, and its outer white space may have been taken off.
        """
        if delivery.kind is not DeliveryKind.ANSWER or delivery.doubtful or delivery.turn != self._turn:
            return None
        answer = delivery.text.lstrip()
        for shown in (self._messages[-1], "\n\n".join(filter(None, self._messages))):
            if shown and answer.startswith(shown):
                return answer[len(shown) :]
            if answer and answer == shown.rstrip():
                return ""
        return None


def _below(delivery: Delivery) -> list[str]:
    """What stands below a delivery's text, line by line."""
    lines = [] if delivery.file is None else [f"📎 {delivery.file}"]
    if delivery.kind is DeliveryKind.QUESTION and delivery.keys:
        labels = [key.label for row in delivery.keys for key in row]
        lines += [*(f"  {number}. {label}" for number, label in enumerate(labels, 1)), CHOOSE]
    return lines


def banner(
    *, version: str, pi_version: str | None, provider: str, model: str, demo: bool, telegram: bool, workspace: str
) -> str:
    """What is running and how to go on from here, in a few lines.

    `pi_version`: None if it is not known. `demo`: the model is the embedded one. `telegram`: a bot is connected.
    """
    pi = "pi" if pi_version is None else f"pi {pi_version}"
    lines = [f"dispatchd {version} · {pi} · {provider}/{model}{' (a demo)' if demo else ''} · works in {workspace}"]
    mends: list[str] = []
    if demo:
        lines += [
            "The model is an embedded demo. It repeats what you say, and understands, alone on a line:",
            "  run: <shell command>   write: <file> <text>   ask: <question>   slow: <n words>   spawn: <task>   help",
        ]
        mends.append("export LLM_PROVIDER=zai LLM_API_KEY=…")
    if not telegram:
        mends.append("export TELEGRAM_BOT_TOKEN=…")
    if mends:
        what = " and ".join(["a real provider"] * demo + ["Telegram"] * (not telegram))
        lines += [f"To connect {what}, end this and begin again with:", *(f"  {mend}" for mend in mends)]
    lines.append("Ctrl-C stops a turn, a second one ends the service. /help lists the commands.")
    return "\n".join(lines)
