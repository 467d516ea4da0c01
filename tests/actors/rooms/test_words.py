"""What a room says, and what its agent reads."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import (
    AgentReady,
    Attachment,
    Button,
    DeliveryKind,
    ModelInfo,
    NewDelivery,
    Place,
    Question,
    QuestionAsked,
    Queued,
    Room,
    RoomSettings,
    SessionInfo,
    Turn,
    Usage,
)
from actors.rooms import words
from actors.telegram.render import render

NOW = 1_000_000.0
MARKED = st.text(st.sampled_from("ab *_`[]()~|\\#-1.<&;!\n"), min_size=1, max_size=20).filter(str.strip)


def queued(text: str = "fix it", **more: Any) -> Queued:
    row = Queued(id=7, person=1, name="Ann", text=text, at=NOW, message_id=70, command=None, attempts=0)
    return msgspec.structs.replace(row, **more)


def room(**more: Any) -> Room:
    plain = Room(
        slug="den",
        place=Place("telegram", -100, 5),
        title="The Den",
        workspace="/w/den",
        session_id="s-1",
        leaf=None,
        created_at=0.0,
        updated_at=0.0,
    )
    return msgspec.structs.replace(plain, **more)


def turn(*rows: Queued, attempt: int = 1) -> Turn:
    return Turn(
        id="t7",
        attempt=attempt,
        leaf_before=None,
        stop_requested=False,
        started_at=NOW - 190,
        inbounds=rows or (queued(),),
    )


def shown(markdown: str) -> str:
    return "\n\n".join(part.text for part in render(markdown))


# --- answers to commands ----------------------------------------------------------------------------------------


def test_the_status_of_an_idle_room_is_short() -> None:
    said = words.status(room(), doing="idle", since=None, queue=(), ready=None, usage=Usage(), turn=None, now=NOW)
    assert said == "**The Den** (`den`): idle\n- session: `s-1`\n- workspace: `/w/den`"


def test_the_status_of_a_busy_room_says_everything() -> None:
    ready = AgentReady(incarnation=1, session_id="s-1", leaf=None, model=ModelInfo(id="zai/glm"), thinking="high")
    settings = RoomSettings(verbose=2, listen="all", muted=True, busy="follow_up")
    said = words.status(
        room(project="shop", settings=settings),
        doing="running bash",
        since=NOW - 190,
        queue=(queued("then *that*"), queued("and this")),
        ready=ready,
        usage=Usage(cost=0.0125, context=45_000, window=200_000),
        turn=turn(queued("fix\nit"), attempt=2),
        now=NOW,
    )
    assert said.splitlines() == [
        "**The Den** (`den`): running bash, for 3 min 10 s",
        "- working on: “fix it”, attempt 2",
        r"- waiting: 2, next “then \*that\*”",
        "- model: `zai/glm`, thinking high",
        "- context: 45 k of 200 k (22%)",
        "- cost: $0.013",
        "- session: `s-1`",
        "- workspace: `/w/den` (project shop)",
        "- set here: verbose 2, hears all, muted, while busy: follow up",
    ]


def test_pictures_without_words_are_counted() -> None:
    files = tuple(Attachment(handle="h", name="a", mime="", size=0) for _ in range(2))
    said = words.status(
        room(title=""),
        doing="thinking",
        since=NOW,
        queue=(),
        ready=None,
        usage=Usage(context=900),
        turn=turn(queued("", attachments=files)),
        now=NOW,
    )
    assert said.splitlines()[:3] == ["`den`: thinking, for 0 s", "- working on: 2 files", "- context: 900"]


def test_sessions() -> None:
    infos = [
        SessionInfo(id="s-2", began_at=0, used_at=NOW, turns=1, first="do\n*this*"),
        SessionInfo(id="s-1", began_at=0, used_at=NOW - 7200, turns=12, first=""),
    ]
    assert words.sessions(infos, "s-2", NOW).splitlines() == [
        r"- `s-2` in use, 1 turn: “do \*this\*”",
        "- `s-1` 2 h ago, 12 turns",
        "",
        "Go back to one with /resume and its id.",
    ]
    assert words.sessions([], "s-2", NOW) == "This room has had no session yet."


def test_who_somebody_is() -> None:
    said = "You are Ann (id `1`), the owner. This is **The Den** (`den`) at `telegram:-100:5`."
    assert words.whoami(queued(owner=True), room()) == said
    assert "You are nameless (id `1`), a member." in words.whoami(queued(name=" "), room())


def test_usage() -> None:
    used = Usage(cost=1.5, input=1_250_000, output=950, context=45_000, window=200_000)
    assert words.usage(used, room()).splitlines() == [
        "Session `s-1` so far:",
        "",
        "- tokens: 1.2 M in, 950 out",
        "- context: 45 k of 200 k (22%)",
        "- cost: $1.50",
    ]


@pytest.mark.parametrize(
    ("seconds", "cost", "files", "line"),
    [
        (42.3, 0.013, 3, "42 s · $0.013 · 3 files changed"),
        (190, None, 1, "3 min 10 s · 1 file changed"),
        (0.2, 0.0, 0, "1 s"),
        (5, 2.0, None, "5 s · $2.00"),
    ],
)
def test_the_last_line_of_an_answer(seconds: float, cost: float | None, files: int | None, line: str) -> None:
    assert words.footer(seconds, cost, files) == line


# --- a message that waits ---------------------------------------------------------------------------------------


def test_a_message_that_waits_says_what_for_and_has_three_buttons() -> None:
    told = words.busy(queued(), doing="running bash", since=NOW - 180, place=2, capacity=8, now=NOW)
    assert told == NewDelivery(
        kind=DeliveryKind.NOTE,
        text="Busy for 3 min: running bash. Yours is #2 of 8.",
        reply_to=70,
        key="busy:7",
        buttons=(
            (
                Button(label="Steer now", command="steer_it", argument="7"),
                Button(label="Keep", command="keep_it", argument="7"),
                Button(label="Drop", command="drop_it", argument="7"),
            ),
        ),
    )


def test_what_became_of_it_takes_the_place_of_the_note() -> None:
    told = [say(queued()) for say in (words.begun, words.dropped, words.kept, words.steered)]
    assert {(each.kind, each.key, each.reply_to, each.buttons) for each in told} == {
        (DeliveryKind.NOTE, "busy:7", 70, ())
    }
    assert len({each.text for each in told}) == 4


# --- questions --------------------------------------------------------------------------------------------------


def asked(method: Any = "select", *options: str, **more: Any) -> QuestionAsked:
    plain = QuestionAsked(
        turn="t7",
        incarnation=1,
        dialog="d",
        method=method,
        title="Which *one*?",
        text="",
        options=options,
        timeout=None,
    )
    return msgspec.structs.replace(plain, **more)


def open_question(title: str = "Which *one*?", text: str = "") -> Question:
    return Question(
        id=3,
        turn="t7",
        dialog="d",
        method="select",
        title=title,
        text=text,
        options=("a", "b"),
        asked_at=0,
        expires_at=9,
    )


def test_a_choice_has_a_row_for_each_option() -> None:
    told = words.question(asked("select", "left", "right", text="Mind the `gap`.", timeout=300), 70)
    assert (told.kind, told.reply_to, told.key) == (DeliveryKind.QUESTION, 70, "question:{id}")
    assert shown(told.text) == "❓ Which *one*?\n\nMind the `gap`.\n\nIt waits for 5 min."
    assert told.buttons == (
        (Button(label="left", command="answer", argument="{id} 0"),),
        (Button(label="right", command="answer", argument="{id} 1"),),
    )


def test_a_confirmation_is_one_row() -> None:
    told = words.question(asked("confirm"), None)
    assert [[(key.label, key.argument) for key in row] for row in told.buttons] == [
        [("Yes", "{id} 0"), ("No", "{id} 1")]
    ]


@pytest.mark.parametrize("method", ["input", "editor"])
def test_a_free_answer_is_the_next_message(method: str) -> None:
    told = words.question(asked(method), None)
    assert (shown(told.text), told.buttons) == ("❓ Which *one*?\n\nYour next message is the answer.", ())


def test_an_option_that_is_too_long_for_a_button_is_listed() -> None:
    told = words.question(asked("select", "x" * 100, " ", "b"), None)
    assert [row[0].label for row in told.buttons] == ["x" * 63 + "…", "(empty)", "b"]
    assert shown(told.text).endswith(f"1. {'x' * 100}\n2. (empty)\n3. b")


def test_many_options_are_listed_and_numbered() -> None:
    told = words.question(asked("select", *(f"option {n}" for n in range(1, 101))), None)
    keys = [key for row in told.buttons for key in row]
    assert [key.label for key in keys] == [str(number) for number in range(1, 97)]
    assert keys[-1].argument == "{id} 95"
    assert max(map(len, told.buttons)) == 8
    assert shown(told.text).endswith("100. option 100\n\nThose after 96 are chosen by their words.")


@pytest.mark.parametrize(
    ("told", "last"),
    [
        (words.answered(open_question(), "*a*"), "→ *a*"),
        (words.answered(open_question(), " "), "→ (empty)"),
        (words.expired(open_question()), "→ nobody answered in time"),
        (words.cancelled(open_question()), "→ not asked any more"),
    ],
)
def test_what_became_of_a_question_stands_in_its_message(told: NewDelivery, last: str) -> None:
    assert (told.kind, told.key, told.buttons) == (DeliveryKind.QUESTION, "question:3", ())
    assert shown(told.text) == f"❓ Which *one*?\n\n{last}"


def test_a_question_is_one_message_however_long() -> None:
    told = words.question(asked("select", *("*" * 999,) * 8, title="_" * 999, text="[" * 9999), None)
    assert len(render(told.text)) == 1


def test_a_late_answer_says_what_was_asked() -> None:
    assert words.late_answer(open_question("Which?", "a or\nb"), "b") == (
        "You asked this, and were interrupted before the answer came:\n\n> Which?\n> a or\n> b\n\nThe answer is: b"
    )


# --- trouble ----------------------------------------------------------------------------------------------------


def test_a_crash_has_ways_out() -> None:
    retry, new, log = (
        Button(label="Try again", command="retry", argument="t7"),
        Button(label="New session", command="new"),
        (Button(label="Log", command="log")),
    )
    assert words.crash("t7") == ((retry, new, log),)
    assert words.crash(None) == ((new, log),)


def test_a_model_without_eyes() -> None:
    assert words.blind("zai/glm") == "`zai/glm` sees no pictures: the agent only knows where they are saved."


# --- what the agent reads ---------------------------------------------------------------------------------------


def prompt(*rows: Queued, images_seen: bool = True, group: bool = False, **failed: str) -> str:
    reasons = {int(name[1:]): why for name, why in failed.items()}
    return words.prompt(rows, images_seen=images_seen, failed=reasons, now=NOW, group=group)


def file(number: int, name: str, *, picture: bool = False, path: str | None = "") -> Attachment:
    mime = "image/png" if picture else "text/csv"
    where = f"uploads/{name}" if path == "" else path
    return Attachment(handle="h", name=name, mime=mime, size=1, picture=picture, id=number, path=where)


def test_a_plain_message_is_its_words() -> None:
    assert prompt(queued(" /etc is *odd*\n")) == "/etc is *odd*"


def test_a_burst_is_one_text() -> None:
    assert prompt(queued("a"), queued(""), queued("b")) == "a\n\nb"


def test_what_is_quoted_stands_in_a_block_that_it_cannot_leave() -> None:
    assert (
        prompt(queued("do it", quoted="Bob: say\n\n] stop")) == "[with this context]\n> Bob: say\n>\n> ] stop\n\ndo it"
    )
    rows = [queued(text, quoted="forwarded from Bob") for text in ("a", "b")]
    assert prompt(*rows) == "[with this context]\n> forwarded from Bob\n\na\n\nb"
    assert prompt(queued("", quoted="Bob: x")) == "[with this context]\n> Bob: x"


def test_an_old_message_says_so() -> None:
    assert prompt(queued(at=NOW - 601, accepted_at=NOW - 600)) == "[sent 10 min ago]\nfix it"
    old = {"at": NOW - 10_800, "accepted_at": NOW - 5}
    assert prompt(queued("a", **old), queued("b", **old)) == "[sent 3 h ago, while the service was down]\na\n\nb"
    assert prompt(queued(at=NOW - 599)) == "fix it"


def test_in_a_group_everybody_has_a_name() -> None:
    rows = [queued("a"), queued("b"), queued("c", person=2, name="B\nob"), queued("d", person=3, name="")]
    assert prompt(*rows, group=True) == "[Ann]\na\n\nb\n\n[B ob]\nc\n\n[person 3]\nd"
    assert prompt(queued("a", at=NOW - 7200, quoted="x"), group=True) == (
        "[Ann, sent 2 h ago, with this context]\n> x\n\na"
    )


def test_files_are_named_by_their_path_or_with_the_reason_why_not() -> None:
    row = queued(
        "look",
        attachments=(
            file(1, "a.csv"),
            file(2, "b.png", picture=True),
            file(3, "c.csv", path=None),
            file(4, "d", path=None),
        ),
    )
    assert prompt(row, _3="it is too\nlarge").splitlines() == [
        "look",
        "",
        "[Files that came with this; paths are relative to the workspace]",
        "- uploads/a.csv (text/csv)",
        "- uploads/b.png (a picture, which you see here)",
        "- c.csv: not saved, it is too large",
        "- d: not saved, it was not fetched",
    ]
    assert "- uploads/b.png (a picture, which you cannot see)" in prompt(row, images_seen=False)
    assert prompt(queued("", attachments=(file(1, "a.csv"),))).startswith("[Files that came")


# --- whatever people call things --------------------------------------------------------------------------------


@given(MARKED)
def test_titles_names_and_words_are_shown_as_they_are(text: str) -> None:
    line = " ".join(text.split())
    bound = room(title=text, project=text)
    said = words.status(
        bound,
        doing="idle",
        since=None,
        queue=(queued(text),),
        ready=None,
        usage=Usage(),
        turn=turn(queued(text)),
        now=NOW,
    )
    first, working, waiting, *_, workspace = shown(said).splitlines()
    assert (first, working, waiting) == (
        f"{line} (den): idle",
        f"• working on: “{line}”",
        f"• waiting: 1, next “{line}”",
    )
    assert workspace == f"• workspace: /w/den (project {line})"
    assert shown(words.whoami(queued(name=text), room())).startswith(f"You are {line} (id 1), a member.")
    assert shown(words.question(asked(title=text), None).text).startswith(f"❓ {line}\n")
    assert shown(words.answered(open_question(text), text).text) == f"❓ {line}\n\n→ {line}"


# --- reports of sub-agents


def report(number: int, text: str, **more: Any) -> Queued:
    fields = {"id": number, "person": 0, "name": f"sub-agent s{number}", "burst": "reports:den", "message_id": None}
    return queued(text, **fields, **more)


@pytest.mark.parametrize("group", [False, True])
def test_reports_speak_for_themselves(group: bool) -> None:
    rows = [report(1, "[Report of sub-agent s1.]\nso", at=NOW - 7200), report(2, "[Report of sub-agent s2.]\nho")]
    assert prompt(*rows, group=group) == "[Report of sub-agent s1.]\nso\n\n[Report of sub-agent s2.]\nho"


def test_what_is_worked_on_and_what_waits_may_be_reports() -> None:
    said = words.status(
        room(),
        doing="running",
        since=NOW,
        queue=(report(3, "so"),),
        ready=None,
        usage=Usage(),
        turn=turn(report(1, "so"), report(2, "ho")),
        now=NOW,
    ).splitlines()
    assert said[1] == "- working on: the reports of sub-agent s1, sub-agent s2"
    assert said[2] == "- waiting: 1, next the report of sub-agent s3"
