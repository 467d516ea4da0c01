"""What the folders talk about: places, rooms, what waits in them, what goes out to people, who may speak.

Pure data. Times are Unix seconds (float, UTC), ids of rows are SQLite integers, texts are Markdown unless they say
otherwise.
"""

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = [
    "Access",
    "Attachment",
    "Binding",
    "BusyMode",
    "Button",
    "Delivery",
    "DeliveryKind",
    "Hop",
    "Inbound",
    "Key",
    "NewDelivery",
    "Outcome",
    "Pairing",
    "Person",
    "Place",
    "Preview",
    "Quarantined",
    "Question",
    "QuestionState",
    "Queued",
    "Room",
    "RoomSettings",
    "SessionInfo",
    "Topic",
    "Turn",
    "Usage",
    "Work",
    "note_key",
]


class Place(msgspec.Struct, frozen=True):
    """A room's address outside: front end (`telegram`, `console`), chat id and, for a topic, thread id."""

    front: str
    chat: int
    thread: int | None = None

    def __str__(self) -> str:
        return f"{self.front}:{self.chat}" + ("" if self.thread is None else f":{self.thread}")


BusyMode = Literal["steer", "follow_up", "interrupt"]
"""What is done with a message that finds the agent busy: it joins the run, waits for its end, or ends it."""

# --- what comes in --------------------------------------------------------------------------------------------------


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came with a message.

    `handle`: what its front end fetches it by. `name`: a safe basename. `size`: bytes, 0 if unknown. `picture`: meant
    for the model's eyes. The store gives `id`; `path`: where it was saved, relative to the workspace, None until then.
    """

    handle: str
    name: str
    mime: str
    size: int
    picture: bool = False
    id: int = 0
    path: str | None = None


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """One message from a person, as a front end hands it over.

    `key`: unique for ever, such as `telegram:<bot id>:<update id>`. `owner`: whether the owner wrote it. `command`: the
    word behind the slash when the text is a command of ours (lower case, without `@bot`), else None. `title`: what the
    place is called, for the room's slug. `quoted`: what it answers or quotes, with who said it; empty for nothing.
    `reply_to`: the front end's id of the message that it answers. `burst`: messages of one room with the same one
    (an album, forwards sent together) are one message to the agent. `mode`: what is done with this one while the agent
    is busy; None: what the room does with all.
    """

    key: str
    place: Place
    person: int
    name: str
    text: str
    at: float
    owner: bool = False
    message_id: int | None = None
    command: str | None = None
    title: str = ""
    quoted: str = ""
    reply_to: int | None = None
    attachments: tuple[Attachment, ...] = ()
    burst: str | None = None
    mode: BusyMode | None = None


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted inbound that waits for its turn, or a command that waits for its answer.

    `saw_end`: a turn has ended since this command was accepted, so what it was to stop is over. `steered`: it joined a
    turn that was already running. `noted`: there is a delivery with its `note_key`.
    """

    id: int
    person: int
    name: str
    text: str
    at: float
    message_id: int | None
    command: str | None
    attempts: int
    accepted_at: float = 0.0
    owner: bool = False
    quoted: str = ""
    attachments: tuple[Attachment, ...] = ()
    burst: str | None = None
    mode: BusyMode | None = None
    saw_end: bool = False
    steered: bool = False
    noted: bool = False


def note_key(inbound: int) -> str:
    """The key of the one delivery that tells what becomes of a message that waits."""
    return f"busy:{inbound}"


# --- rooms and their turns ------------------------------------------------------------------------------------------


class RoomSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people have set for one room; None leaves the choice to the configuration.

    `verbose`: how much of the tools' work shows, 0 nothing, 1 a line each, 2 also how they ended. `listen`: whether a
    group's room hears everything or only what is addressed to the bot. `muted`: answers arrive silently.
    """

    verbose: Literal[0, 1, 2] = 1
    listen: Literal["all", "mentions"] | None = None
    muted: bool = False
    model: str | None = None
    thinking: str | None = None
    busy: BusyMode | None = None


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A room as the store knows it.

    `workspace`: absolute path of its folder. `project`: whose folder that is, if it is bound to one. `session_id`: pi's
    session. `leaf`: id of the session's last entry when the last turn ended; None while the session has no assistant
    message. `gone_at`: when its topic was found to be deleted.
    """

    slug: str
    place: Place
    title: str
    workspace: str
    session_id: str
    leaf: str | None
    created_at: float
    updated_at: float
    settings: RoomSettings = RoomSettings()
    project: str | None = None
    gone_at: float | None = None


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A session that a room has, or had. `first`: the beginning of the first message in it. `turns`: how many ended."""

    id: str
    began_at: float
    used_at: float
    turns: int
    first: str


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A room's workspace is this project's from now on. `workspace`: absolute path."""

    project: str
    workspace: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a session has used in all. `cost`: US dollars. `context`, `window`: tokens, None while pi does not know."""

    cost: float = 0.0
    input: int = 0
    output: int = 0
    context: int | None = None
    window: int | None = None


class QuestionState(StrEnum):
    """What became of a question."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """An open question of a room's agent to its people.

    `dialog`: pi's id of it, good for one process. `method`: `select` and `confirm` have `options`, `input` and `editor`
    take any text. `expires_at`: when nobody waits any more.
    """

    id: int
    turn: str
    dialog: str
    method: Literal["select", "confirm", "input", "editor"]
    title: str
    text: str
    options: tuple[str, ...]
    asked_at: float
    expires_at: float


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that has not ended: its inbounds in order, how often it was tried, where the session stood before it.

    `cost_before`: what the session had cost by then, in US dollars. `parted`: how many of the attempts were ended on
    purpose, by a stop of the service or a restart that somebody asked for, and so say nothing against the message.
    `decided`: its last attempt was, and had gone on after every crash before it, so no fate is open.
    """

    id: str
    attempt: int
    leaf_before: str | None
    stop_requested: bool
    started_at: float
    inbounds: tuple[Queued, ...]
    cost_before: float = 0.0
    parted: int = 0
    decided: bool = False


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """All that a room has to do: its open turn, what waits behind it (oldest first), commands to answer.

    `questions`: those of the open turn, or of one that ended while it waited, that are still open. `held`: messages
    that a stop found waiting; nothing is done with them until a person says so. `backlog`: how many deliveries to its
    place have not arrived.
    """

    room: Room
    turn: Turn | None
    queue: tuple[Queued, ...]
    commands: tuple[Queued, ...]
    questions: tuple[Question, ...] = ()
    held: tuple[Queued, ...] = ()
    backlog: int = 0


class Outcome(StrEnum):
    """How a turn ended.

    `waiting`: cut off while its agent waited for an answer, which begins the next turn. `interrupted`: cut off, and by
    the room's fate of such turns (`on_restart`) not gone on with unless a person says so.
    """

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    QUARANTINED = "quarantined"
    WAITING = "waiting"
    INTERRUPTED = "interrupted"


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was cut off too often and is set aside until a person decides.

    `attempts`: how often its turn was begun; what ended on purpose is counted, and the last time it is only looked
    whether the one before had finished. `turn`: the one that was set aside, perhaps with others of its messages.
    """

    inbound: int
    room: str
    name: str
    text: str
    at: float
    attempts: int
    turn: str
    set_aside_at: float


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One step on a message's way, kept with the rows. `at`: Unix seconds.

    `what`: past tense, such as `accepted`, `begun`, `prompted`, `sent`. `where`: whose step it was, in a word (`store`,
    `agent`, `telegram`). `id`: of what it happened to: an update's key, a turn, a delivery, the front end's message.
    """

    at: float
    what: str
    where: str
    id: str


# --- what goes out --------------------------------------------------------------------------------------------------


class DeliveryKind(StrEnum):
    """What a delivery is for.

    An answer ends a turn, a report tells of trouble, a question waits for a person, a note is small talk of the
    service; a topic is no message but a new topic of the chat.
    """

    ANSWER = "answer"
    REPORT = "report"
    QUESTION = "question"
    NOTE = "note"
    TOPIC = "topic"


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A button under a delivery. Pressed, it does what `/command argument` typed into the room would do."""

    label: str
    command: str
    argument: str = ""


class Key(msgspec.Struct, frozen=True):
    """A button as the front end shows it: `data` (at most 64 bytes) is what comes back when it is pressed."""

    label: str
    data: str


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """What a new topic is for: a new room, bound to `binding` if there is one, or the room called `room` again."""

    room: str | None = None
    binding: Binding | None = None


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a person, to be queued.

    `reply_to`: the front end's id of the message that it answers. `footer`: one plain line below an answer. `buttons`:
    rows of them. `file`: absolute path of what is sent with `text` as its caption. `key`: a delivery that has this key
    already is changed to this one, and edited if it has arrived. `place`: where to, if not to the room. `topic`: only
    of that kind; `text` is then its name.
    """

    kind: DeliveryKind
    text: str
    reply_to: int | None = None
    footer: str = ""
    buttons: tuple[tuple[Button, ...], ...] = ()
    file: str | None = None
    key: str | None = None
    place: Place | None = None
    topic: Topic | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A durable message to a person.

    `part`: how many parts of it have arrived (a long text is sent in parts; 0 at first). `attempts`: sends begun for
    the part that is next. `doubtful`: an earlier send of that part was cut off, so it may arrive a second time and
    must say so. `edits`: the front end's id of the message that is to be changed to this; None for one to be sent.
    `revision`: how often it was changed. `silent`: nobody's phone rings.
    """

    id: int
    place: Place
    kind: DeliveryKind
    text: str
    reply_to: int | None
    turn: str | None
    part: int
    attempts: int
    doubtful: bool
    created_at: float
    footer: str = ""
    keys: tuple[tuple[Key, ...], ...] = ()
    file: str | None = None
    topic: Topic | None = None
    edits: int | None = None
    revision: int = 0
    silent: bool = False


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A message that shows a running turn and goes when its final has arrived."""

    turn: str
    place: Place
    message_id: int


# --- who may speak --------------------------------------------------------------------------------------------------


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was approved. The first of a front end is its owner."""

    id: int
    name: str
    owner: bool
    since: float


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """A code that waits for the owner's word."""

    code: str
    person: int
    name: str
    expires_at: float


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who was approved, beside those whom the configuration names. `listen`: the rooms' own settings, by place."""

    people: tuple[Person, ...] = ()
    groups: frozenset[int] = frozenset()
    listen: dict[Place, Literal["all", "mentions"]] = {}
