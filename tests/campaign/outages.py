"""What an outage was, and what can be said of the calls around it: who was too early, and who came again.

Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.campaign.brisk import RETRIES
from tests.campaign.ledger import REPETITION
from tests.fakes.telegram import Call

KINDS: Final = (
    "Telegram is gone",
    "Telegram is slow",
    "Telegram wants silence (429)",
    "Telegram drops after the effect",
    "the provider is gone",
    "the provider refuses the key (401)",
    "the provider fails (500)",
    "the provider hangs, then closes",
    "the provider is silent",
)
FATAL: Final = RETRIES + 1
"""Failures in a row that pi does not get over."""
ON_ITS_WAY: Final = 0.2
"""Seconds in which a call may come that was begun before its sender knew better."""
ONE_SENTENCE: Final = 300
"""Characters of a report that still is one."""


@dataclass
class Outage:
    """One. Times of the campaign's clock; `recovered` is None while nobody knows.

    `call`: which call it struck; `number`: which message; neither if it was everybody's.
    """

    kind: str
    began: float
    ended: float
    recovered: float | None = None
    call: Call | None = None
    number: int | None = None


def resent(outage: Outage, calls: Sequence[Call]) -> float | None:
    """When what this call was to bring had arrived for sure, by it or by a later one; None if that was never so."""
    call = outage.call
    assert call is not None
    if call.status == 200 and "slow" not in outage.kind:
        return outage.ended
    again = [
        other.at
        for other in calls
        if other.at > call.at
        and other.method == call.method
        and other.status == 200
        and other.params.get("chat_id") == call.params.get("chat_id")
        and _core(other) == _core(call)
    ]
    first = min(again, default=None)
    if first is None:
        return outage.ended if call.status == 200 else None
    return max(first, outage.ended)


def _core(call: Call) -> str:
    return str(call.params.get("text", "")).removeprefix(REPETITION).strip()


def too_early(refused: Sequence[tuple[Call, float]], calls: Sequence[Call]) -> list[str]:
    """The calls to a chat that came though Telegram had asked for so many seconds of silence there."""
    found = []
    for call, seconds in refused:
        chat = call.params.get("chat_id")
        found += [
            f"{other.method} in chat {chat} {other.at - call.at:.2f} s after Telegram wanted {seconds:g} s of silence"
            for other in calls
            if other.params.get("chat_id") == chat and call.at + ON_ITS_WAY < other.at < call.at + seconds - 0.01
        ]
    return found


def told_badly(text: str) -> list[str]:
    """What is wrong with the report of a turn that failed: it says in one short paragraph what failed."""
    wrong = []
    plain = text.removeprefix(REPETITION).strip()
    if "\n" in plain:
        wrong.append(f"a report of several paragraphs: {plain!r}")
    if len(plain) > ONE_SENTENCE:
        wrong.append(f"a report of {len(plain)} characters: {plain[:80]!r}…")
    if "Traceback" in plain:
        wrong.append(f"a report with a traceback: {plain[:80]!r}")
    return wrong


def report_trouble(text: str) -> str:
    """The kind of trouble that a report tells of, in a word."""
    for word in ("401", "500", "timed out", "Connection", "connection", "terminated"):
        if re.search(rf"\b{word}\b", text):
            return word.lower()
    return "other"
