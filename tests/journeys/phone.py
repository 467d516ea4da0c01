"""What a person sees on their phone, for the journeys: the bot's messages, its answers, what it has left behind.

It reads the fake Telegram and changes nothing. The footer is the plain line below an answer: how long it took, what it
cost, how many files it changed.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from tests.fakes.telegram import Bubble, FakeTelegram
from tests.journeys.house import PATIENCE

WORKING = "Working on it."
"""What a private chat shows of a long turn, with the button that stops it."""
T = TypeVar("T")

_FOOTER = re.compile(r"\n\n\d+ (?:s|min)\b[^\n]*\Z")


class Phone:
    """One chat, or one topic of it, as a person sees it."""

    def __init__(self, fake: FakeTelegram, chat: int, thread: int | None = None) -> None:
        self.fake = fake
        self.chat = chat
        self.thread = thread

    # --- what is there now

    def bubbles(self, words: str = "") -> list[Bubble]:
        """The bot's messages that say this, oldest first."""
        shown = self.fake.shown(self.chat, self.thread)
        return [bubble for bubble in shown.bubbles if words in bubble.text and bubble.who == shown.bot]

    @property
    def answers(self) -> list[str]:
        """What has been answered, oldest first, each without its footer. A picture of a running turn is none."""
        said = self.fake.said(self.chat, self.thread)
        return [_FOOTER.sub("", text) for text in said if _FOOTER.search(text)]

    @property
    def others(self) -> list[str]:
        """All that the bot says beside answers."""
        return [text for text in self.fake.said(self.chat, self.thread) if not _FOOTER.search(text)]

    @property
    def draft(self) -> str:
        """The draft that is shown now, or nothing."""
        return self.fake.draft(self.chat, self.thread) or ""

    def drafted(self, words: str) -> bool:
        """Whether a draft has said this so far, though a message may have taken it off the screen since."""
        drafts = self.fake.called("sendMessageDraft")
        return any(call.params["chat_id"] == self.chat and words in call.params["text"] for call in drafts)

    @property
    def leftovers(self) -> list[str]:
        """What may be there only while something runs or waits: drafts, previews, buttons."""
        found = [str(bubble) for bubble in self.bubbles() if bubble.buttons or bubble.text == WORKING]
        return [*found, f"draft: {self.draft}"] if self.draft else found

    def marks(self, words: str) -> tuple[str, ...]:
        """The marks on the newest message that a person has sent with these words."""
        shown = self.fake.shown(self.chat, self.thread)
        return [bubble for bubble in shown.bubbles if words in bubble.text and bubble.who != shown.bot][-1].reactions

    # --- what is waited for

    async def sees(self, words: str, *, buttons: bool = False, count: int = 1) -> Bubble:
        """The newest of at least `count` messages of the bot's that say this, with buttons if they matter."""

        def there() -> list[Bubble]:
            found = [bubble for bubble in self.bubbles(words) if bubble.buttons or not buttons]
            return found if len(found) >= count else []

        return (await self.until(there, words))[-1]

    async def is_answered(self, words: str) -> str:
        """The first answer that says this, without its footer."""
        return (await self.until(lambda: [text for text in self.answers if words in text], f"the answer {words}"))[0]

    async def has_nothing_left(self) -> None:
        """Until neither draft nor preview nor button is there."""
        await self.until(lambda: [True] * (not self.leftovers), "an end of all drafts, previews and buttons")

    async def is_marked(self, words: str, mark: str) -> None:
        """Until the person's message with these words bears the mark."""
        await self.until(lambda: [True] * (mark in self.marks(words)), f"{mark} on {words!r}")

    async def until(self, predicate: Callable[[], list[T]], what: str) -> list[T]:
        """The predicate's first true result. The error that it does not come shows the chat."""
        try:
            return await self.fake.wait_for(predicate, PATIENCE)
        except Exception as error:
            error.add_note(f"waiting for {what!r}, the phone shows:\n{self.fake.transcript(self.chat, self.thread)}")
            raise
