"""Commands that are answered at once."""

from pathlib import Path

import msgspec
import pytest

from actors.messages import Binding, DeliveryKind, Place, RoomSettings, Topic, Usage
from actors.rooms import trouble
from actors.rooms.replies import LISTED, LOG, View, reply
from actors.rooms.steps import Answer, Delegate, EndSubagent, Known, PassOn, Phase, RestartAgent, Sleep, Step
from tests.actors.rooms.playbook import NOW, greeting, texts
from tests.actors.rooms.rows import PROJECTS, ROOM, command, made, message, subagent, turn

OTHER = msgspec.structs.replace(ROOM, slug="attic", title="Attic")
VIEW = View(
    room=ROOM,
    phase=Phase.RUNNING,
    turn=turn(1),
    queue=(message(2),),
    ready=greeting(1, "leaf1"),
    failed=False,
    usage=Usage(cost=0.5, input=1200),
    known=Known(NOW, doing="running bash", rooms=(ROOM, OTHER), failure="Traceback\nAgentEnded: exit 1"),
)


def steps(text: str, *, owner: bool = False, view: View = VIEW) -> list[Step]:
    name = text.removeprefix("/").split()[0]
    row = msgspec.structs.replace(command(9, name, text), owner=owner)
    return reply(row, view, PROJECTS)


def answer(text: str, *, owner: bool = False) -> Answer:
    found, *_ = steps(text, owner=owner)
    assert isinstance(found, Answer)
    return found


def test_a_long_list_of_rooms_says_how_many_there_are() -> None:
    rooms = tuple(msgspec.structs.replace(OTHER, slug=f"room{number}") for number in range(LISTED + 9))
    view = VIEW._replace(known=VIEW.known._replace(rooms=rooms))
    (told,) = texts(steps("/threads", view=view))
    assert told.count("Attic") == LISTED
    assert told.endswith(f"of {LISTED + 9}.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/status", "running bash"),
        ("/threads", "Attic"),
        ("/usage", "1 k"),
        ("/whoami", "Ada"),
        ("/log", "AgentEnded: exit 1"),
        ("/help", "/stop"),
        ("/start", "Write"),
        ("/verbose", "It is 1"),
        ("/verbose 7", "0, 1 or 2"),
        ("/listen", "mentions"),
        ("/listen some", "mentions"),
        ("/mute maybe", "/mute off"),
        ("/create", "door"),
        ("/recreate cellar", "no room"),
        ("/kill", "the id of a room"),
        ("/kill cellar", "no room and no sub-agent"),
        ("/cleanup all", "Only the owner"),
        ("/cleanup some", "do not know"),
    ],
)
def test_what_is_said(text: str, words: str) -> None:
    found = steps(text)
    assert words in texts(found)[0]
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("/steer", RoomSettings(busy="steer")),
        ("/queue", RoomSettings(busy="follow_up")),
        ("/verbose 0", RoomSettings(verbose=0)),
        ("/verbose 2", RoomSettings(verbose=2)),
        ("/listen all", RoomSettings(listen="all")),
        ("/listen mentions", RoomSettings(listen="mentions")),
        ("/mute", RoomSettings(muted=True)),
        ("/mute off", RoomSettings()),
    ],
)
def test_what_is_set_for_the_room(text: str, settings: RoomSettings) -> None:
    found = answer(text)
    assert found.settings == settings
    assert found.deliveries[0].reply_to == 109


@pytest.mark.parametrize(
    ("text", "name", "binding"),
    [
        ("/create Front hall", "Front hall", None),
        ("/create Front door", "Front", Binding(project="door", workspace="/src/door")),
        ("/create Front till", "Front", Binding(project="till", workspace="/src/till")),
        ("/create till", "till", None),
    ],
)
def test_a_topic_is_made_in_the_rooms_chat(text: str, name: str, binding: Binding | None) -> None:
    (told,) = answer(text).deliveries
    assert (told.kind, told.text, told.place) == (DeliveryKind.TOPIC, name, Place("telegram", -100))
    assert told.topic == Topic(binding=binding)


def test_a_topic_is_made_again() -> None:
    (told,) = answer("/recreate attic").deliveries
    assert (told.text, told.topic) == ("Attic", Topic(room="attic"))


@pytest.mark.parametrize(
    ("text", "slug", "stop"),
    [("/kill attic", "attic", True), ("/cleanup", None, False), ("/cleanup all", None, True)],
)
def test_agents_are_sent_to_sleep(text: str, slug: str | None, stop: bool) -> None:
    first, told = steps(text, owner=True)  # what is said of it is done by then, whatever crashes in between
    assert (first, type(told)) == (Sleep(slug, stop, 9), Answer)


def test_an_agent_is_started_anew() -> None:
    assert steps("/restart")[1:] == [RestartAgent()]


def test_a_turn_is_tried_again() -> None:
    assert steps("/retry t5") == [Answer(command(9, "retry", "/retry t5"), retry="t5")]


def test_an_unknown_word_can_be_sent_as_it_stands() -> None:
    (found,) = reply(command(9, "?hlep", "/hlep"), VIEW, PROJECTS)
    assert isinstance(found, Answer)
    assert "/help" in found.deliveries[0].text
    assert found.deliveries[0].buttons[0][0].argument == "/hlep"


def test_a_log_is_cut_and_cannot_end_its_own_block() -> None:
    view = VIEW._replace(known=Known(NOW, failure="x" * 9000 + "\n```\nend"))
    (text,) = texts(steps("/log", view=view))
    assert text.startswith("````\n")
    assert text.endswith("\nend\n````")
    assert len(text) < LOG + 20


def test_without_a_failure_the_log_says_so() -> None:
    assert "nothing" in texts(steps("/log", view=VIEW._replace(known=Known(NOW))))[0]


def test_without_projects_that_is_said() -> None:
    projects: dict[str, Path] = {}
    assert "[projects" in texts(reply(command(9, "create"), VIEW, projects))[0]


def test_the_status_says_what_is_held_and_offers_what_can_be_done() -> None:
    (found,) = steps("/status", view=VIEW._replace(held=(message(3), message(4))))
    assert isinstance(found, Answer)
    (told,) = found.deliveries
    assert "held since a stop: 2, first “text 3”" in told.text
    assert [button.command for row in told.buttons for button in row] == ["run_held", "drop_held"]


def test_what_was_cut_off_is_left_or_dropped() -> None:
    assert steps("/leave_it t5") == [Answer(command(9, "leave_it", "/leave_it t5"), (trouble.left("t5"),))]
    assert steps("/drop_aside t5") == [Answer(command(9, "drop_aside", "/drop_aside t5"), set_aside=5)]
    for text in ("/drop_aside 5", "/drop_aside", "/leave_it"):
        found = answer(text)
        assert (found.set_aside, len(found.deliveries)) == (None, 1)


def test_commands_about_sub_agents_find_those_that_were_looked_up() -> None:
    view = VIEW._replace(known=VIEW.known._replace(subagents=(subagent("a"), made("b"))))
    assert "`a`: running" in texts(steps("/agents", view=view))[0]
    status = texts(steps("/status", view=view))[0]
    assert status.splitlines()[-1].startswith("- sub-agent `a`: running")
    assert [type(step) for step in steps("/spawn tidy up", view=view)] == [Delegate]
    assert [type(step) for step in steps("/apply b", view=view)] == [PassOn]
    assert [type(step) for step in steps("/kill a", view=view)] == [EndSubagent, Answer]


def test_a_room_is_killed_before_a_sub_agent_is() -> None:
    view = VIEW._replace(known=VIEW.known._replace(subagents=(subagent("shop"),)))  # names are unique, but see
    assert [type(step) for step in steps("/kill shop", view=view)] == [Sleep, Answer]
