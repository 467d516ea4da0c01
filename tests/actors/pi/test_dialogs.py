"""Questions on their way to people and back, in the forms that their askers wait for."""

import msgspec
import pytest

from actors.messages import AgentEvent, QuestionAsked, QuestionClosed
from actors.pi import commands, dialogs
from actors.pi.dialogs import DISMISSED, Dialogs
from actors.pi.host_tools import AskUser
from actors.pi.outputs import DialogMethod, DialogRequested


class Desk:
    """Dialogs, what was told, and what went back to pi."""

    def __init__(self) -> None:
        self.told: list[AgentEvent] = []
        self.replies: list[commands.Answer] = []
        self.dialogs = Dialogs(3, reply=self._reply, tell=self._tell)

    async def _tell(self, event: AgentEvent) -> None:
        self.told.append(event)

    async def _reply(self, answer: commands.Answer) -> None:
        self.replies.append(answer)

    @property
    def asked(self) -> QuestionAsked:
        (question,) = self.told
        assert isinstance(question, QuestionAsked)
        return question


def asked(method: DialogMethod, *options: str, title: str = "Well?", text: str = "") -> DialogRequested:
    return DialogRequested("d1", method, title, text, options, 30.0)


async def test_a_question_is_told_as_it_is() -> None:
    desk = Desk()
    await desk.dialogs.ask("t1", asked("select", "A", "B", text="Look:"))
    assert desk.asked == QuestionAsked(
        turn="t1",
        incarnation=3,
        dialog="d1",
        method="select",
        title="Well?",
        text="Look:",
        options=("A", "B"),
        timeout=30.0,
    )


@pytest.mark.parametrize(
    ("dialog", "value", "answer"),
    [
        (asked("select", "A", "B"), "B", commands.DialogValue(id="d1", value="B")),
        (asked("select", "A", "B"), "C", commands.DialogCancelled(id="d1")),
        (asked("select", "A", "B"), None, commands.DialogCancelled(id="d1")),
        (asked("confirm"), True, commands.DialogConfirmed(id="d1", confirmed=True)),
        (asked("confirm"), False, commands.DialogConfirmed(id="d1", confirmed=False)),
        (asked("confirm"), "perhaps", commands.DialogCancelled(id="d1")),
        (asked("input"), "Ann", commands.DialogValue(id="d1", value="Ann")),
        (asked("input"), True, commands.DialogValue(id="d1", value="yes")),
        (asked("editor"), "a\nb", commands.DialogValue(id="d1", value="a\nb")),
        (asked("editor"), None, commands.DialogCancelled(id="d1")),
    ],
)
async def test_an_answer_goes_back_once(
    dialog: DialogRequested, value: str | bool | None, answer: commands.Answer
) -> None:
    desk = Desk()
    await desk.dialogs.ask("t1", dialog)
    await desk.dialogs.answer("d1", value)
    await desk.dialogs.answer("d1", value)
    await desk.dialogs.answer("d2", value)
    await desk.dialogs.close("d1")
    assert desk.replies == [answer]
    assert len(desk.told) == 1


@pytest.mark.parametrize(
    ("question", "value", "text"),
    [
        (AskUser(question="Which?", options=("A", "B")), "B", "B"),
        (AskUser(question="Which?", options=("A", "B")), "neither", "neither"),
        (AskUser(question="Which?"), "the red one", "the red one"),
        (AskUser(question="Which?"), False, "no"),
        (AskUser(question="Which?"), None, DISMISSED),
    ],
)
async def test_the_agents_own_question_is_answered_as_a_tools_result(
    question: AskUser, value: str | bool | None, text: str
) -> None:
    desk = Desk()
    await desk.dialogs.ask_user("t1", "d1", question)
    assert (desk.asked.method, desk.asked.title) == ("select" if question.options else "input", "Which?")
    assert desk.asked.timeout is None
    await desk.dialogs.answer("d1", value)
    (reply,) = desk.replies
    assert isinstance(reply, commands.DialogValue)
    assert msgspec.json.decode(reply.value) == {"text": text, "error": False}


async def test_one_that_pi_waits_for_no_more_is_closed_once() -> None:
    desk = Desk()
    await desk.dialogs.ask("t1", asked("input"))
    for _ in range(2):
        await desk.dialogs.close("d1")
    await desk.dialogs.answer("d1", "too late")
    assert desk.told[1:] == [QuestionClosed(turn="t1", incarnation=3, dialog="d1")]
    assert desk.replies == []


async def test_people_see_it_bounded_and_without_secrets_and_pi_gets_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dialogs, "redact", lambda text: text.replace("hunter22", "***"))
    desk = Desk()
    long = "x" * 5000
    options = ("use hunter22", long, *[f"option {number}" for number in range(100)])
    await desk.dialogs.ask("t1", asked("select", *options, title=f"hunter22 {long}", text=long))
    question = desk.asked
    assert question.title.startswith("*** xxx")
    assert len(question.title) == len(question.text) == dialogs.MAX_TEXT
    assert len(question.options) == dialogs.MOST_OPTIONS
    assert question.options[0] == "use ***"
    assert question.options[1] == "x" * (dialogs.MAX_OPTION - 1) + "…"
    await desk.dialogs.answer("d1", question.options[0])
    assert desk.replies == [commands.DialogValue(id="d1", value="use hunter22")]
