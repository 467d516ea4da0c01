"""Presses of buttons: what each means, whether its time is over, and what the person is told.

Plain functions of a connection, a setting and a request, called inside a transaction by `records`. Most presses become
a command of the room, as if it had been typed; those that let people and groups in are done here. Every press is kept
with what was said to it, so that one that is told again is answered alike and done once.
"""

from collections.abc import Callable

import apsw
import msgspec

from actors.messages import (
    Approve,
    Button,
    Deny,
    Inbound,
    Place,
    Press,
    Pressed,
    Room,
)
from actors.store.acceptance import answering
from actors.store.buttons import buttons_of, pressed
from actors.store.groups import allow, is_offered
from actors.store.inbounds import can_retry, waits, write
from actors.store.outgoing import reword
from actors.store.pairings import approve, deny, is_waiting
from actors.store.questions import still_open, take_answer
from actors.store.rooms import Setting, make_room, room, room_at, wake
from actors.store.stopping import STOPPING, is_holding, stop
from actors.store.texts import storable
from actors.store.topics import found_again

SAID = 200
"""Characters of an answer to a press."""

OVER = "This button is no longer of use."
OWNER_ONLY = "Only the owner decides that."
GOES_ON = "This was cut off, and goes on now."
"""What the report says, whose button has made an agent go on."""

_WORDS = {
    "steer_it": "Passing it on.",
    "drop_it": "Dropping it.",
    "keep_it": "It stays in the queue.",
    "run_held": "Going on with what was held.",
    "drop_held": "Dropping what was held.",
    "retry": "Trying it again.",
    "drop_aside": "Dropping it.",
    "leave_it": "Leaving it as it is.",
    "recreate": "Making a new topic.",
    "log": "Looking it up.",
}
"""What is said to a press that becomes a command, where “One moment.” would say too little."""


_Done = tuple[str, Room | None] | None
"""What is said, and the room to wake; None where the button is of no use any more."""


def press(db: apsw.Connection, setting: Setting, request: Press) -> Pressed:
    """What a button means, done or begun, once."""
    request = msgspec.structs.replace(request, data=storable(request.data))
    known = db.execute("SELECT said, room FROM presses WHERE key = ?", (request.key,)).fetchone()
    if known is not None:
        said, slug = known
        return Pressed(said=said, room=None if slug is None else room(db, slug))
    done = _stop(db, setting, request) if request.data.startswith("stop:") else _button(db, setting, request)
    said, home = done if done is not None else (OVER, None)
    db.execute(
        "INSERT INTO presses (key, data, room, said, used, at) VALUES (?, ?, ?, ?, ?, ?)",
        (request.key, request.data, None if home is None else home.slug, said[:SAID], done is not None, setting.now),
    )
    return Pressed(said=said[:SAID], room=home)


def _stop(db: apsw.Connection, setting: Setting, request: Press) -> _Done:
    turn = request.data.removeprefix("stop:")
    slug = db.execute("SELECT room FROM turns WHERE id = ? AND outcome IS NULL", (turn,)).get
    home = None if slug is None else room(db, slug)
    if home is None or not _same_chat(home.place, request.place):
        return None
    return "Stopping.", _command(db, setting, request, home, "stop")


def _button(db: apsw.Connection, setting: Setting, request: Press) -> _Done:
    found = _find(db, request)
    if found is None:
        return None
    button, place = found
    decide = _OWNERS.get(button.command)
    if decide is not None:
        return decide(db, setting, request, button.argument) if request.owner else (OWNER_ONLY, None)
    home = room_at(db, place)
    if button.command == "answer":
        return None if home is None else _answer(db, setting, request, home, button.argument)
    if not _is_live(db, home, request, button):
        return None
    if button.command == "go_on":
        return None if home is None else _go_on(db, setting, request, home, button.argument)
    home = home or make_room(db, setting, place, request.name)
    found_again(db, setting.now, home)
    if button.command == "text":
        wake(db, home.slug)
        write(db, setting.now, home.slug, _inbound(request, button.argument, None))
        return "Sent as a message.", room(db, home.slug)
    said = _WORDS.get(button.command, "One moment.")
    return said, _command(db, setting, request, home, button.command, button.argument)


def _find(db: apsw.Connection, request: Press) -> tuple[Button, Place] | None:
    """The button as it is now, and where it is; one that an edit has taken away is none, nor is one of another chat.

    A front end knows the chat of a press, and not always the topic: of a message that is gone it says nothing more.
    """
    which = pressed(request.data)
    if which is None:
        return None
    delivery, number = which
    row = db.execute("SELECT front, chat, thread, buttons FROM deliveries WHERE id = ?", (delivery,)).fetchone()
    if row is None or not _same_chat(place := Place(*row[:3]), request.place):
        return None
    buttons = [button for line in buttons_of(row[3]) for button in line]
    return (buttons[number], place) if number < len(buttons) else None


def _is_live(db: apsw.Connection, home: Room | None, request: Press, button: Button) -> bool:
    """Whether what the button is about still stands. Of most it always does."""
    match button.command:
        case "steer_it" | "drop_it" | "keep_it":
            if home is None or not button.argument.isdecimal():
                return False
            return waits(db, home.slug, int(button.argument), or_held=button.command == "drop_it")
        case "run_held" | "drop_held":
            return home is not None and is_holding(db, home.slug)
        case "retry" | "drop_aside" | "leave_it":
            return home is not None and can_retry(db, home.slug, button.argument)
        case "text":
            return not db.execute("SELECT count(*) FROM presses WHERE data = ? AND used = 1", (request.data,)).get
        case "recreate":
            return _is_gone(db, button.argument)
        case _:
            return True


def _is_gone(db: apsw.Connection, slug: str) -> bool:
    """Whether a room has no topic, and none is being made for it."""
    return bool(
        db.execute(
            "SELECT count(*) FROM rooms WHERE slug = ?1 AND gone_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
            "deliveries WHERE kind = 'topic' AND ended_at IS NULL AND json_extract(topic, '$.room') = ?1)",
            (slug,),
        ).get
    )


def _answer(db: apsw.Connection, setting: Setting, request: Press, home: Room, argument: str) -> _Done:
    number, _, words = argument.partition(" ")
    asked = still_open(db, setting.now, home.slug, int(number)) if number.isdecimal() else None
    if asked is None:
        return None
    options = asked.question.options
    if words.isdecimal() and int(words) < len(options):
        words = options[int(words)]
    take_answer(db, setting.now, home.slug, asked, words)
    # The message that was pressed is the bot's own: nobody answers it, and it needs no receipt.
    inbound = answering(msgspec.structs.replace(_inbound(request, words, None), message_id=None), asked)
    wake(db, home.slug)
    write(db, setting.now, home.slug, inbound)
    return f"Answered: {words}", room(db, home.slug)


def _go_on(db: apsw.Connection, setting: Setting, request: Press, home: Room, argument: str) -> _Done:
    """Words for the agent, as a turn of their own: to another one that runs they mean nothing."""
    turn, _, words = argument.partition(" ")
    if not can_retry(db, home.slug, turn) or not _in_use(db, home, turn):
        return None
    found_again(db, setting.now, home)
    wake(db, home.slug)
    write(db, setting.now, home.slug, msgspec.structs.replace(_inbound(request, words, None), mode="follow_up"))
    reword(db, setting.now, f"cut:{turn}", GOES_ON)
    return "It goes on.", room(db, home.slug)


def _in_use(db: apsw.Connection, home: Room, turn: str) -> bool:
    """Whether the room is in the session that this turn belongs to."""
    return bool(db.execute("SELECT session = ? FROM turns WHERE id = ?", (home.session_id, turn)).get)


def _command(
    db: apsw.Connection, setting: Setting, request: Press, home: Room, command: str, argument: str = ""
) -> Room:
    """The command waits in the room; if the same one waits there already, and no turn has ended since, that will do."""
    text = f"/{command} {argument}".rstrip()
    wake(db, home.slug)
    if not db.execute(
        "SELECT count(*) FROM inbound WHERE room = ? AND state = 'queued' AND command = ? AND text = ? "
        "AND turn IS NULL",
        (home.slug, command, text),
    ).get:
        write(db, setting.now, home.slug, _inbound(request, text, command))
    if command in STOPPING:
        stop(db, setting.now, home.slug)
    return room(db, home.slug)


def _inbound(request: Press, text: str, command: str | None) -> Inbound:
    return Inbound(
        key=request.key,
        place=request.place,
        person=request.person,
        name=request.name,
        text=text,
        at=request.at,
        owner=request.owner,
        message_id=request.message_id,
        command=command,
    )


def _same_chat(one: Place, other: Place) -> bool:
    return (one.front, one.chat) == (other.front, other.chat)


# --- what only the owner decides


def _approve(db: apsw.Connection, setting: Setting, _request: Press, code: str) -> _Done:
    if not is_waiting(db, setting.now, code):
        return None
    person = approve(db, setting.now, Approve(code=code))
    return None if person is None else (f"{person.name} may speak with me.", None)


def _deny(db: apsw.Connection, setting: Setting, _request: Press, code: str) -> _Done:
    return ("Turned away.", None) if deny(db, setting.now, Deny(code=code)) else None


def _allow(db: apsw.Connection, setting: Setting, request: Press, chat: str) -> _Done:
    front = request.place.front
    if not chat.removeprefix("-").isdecimal() or not is_offered(db, front, int(chat)):
        return None
    allow(db, setting.now, front, int(chat))
    return "The group may be used.", None


_OWNERS: dict[str, Callable[[apsw.Connection, Setting, Press, str], _Done]] = {
    "approve": _approve,
    "deny": _deny,
    "allow": _allow,
}
