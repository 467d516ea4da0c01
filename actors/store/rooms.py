"""The rows of rooms: made at a place's first message, read by name or place, listed, moved.

Plain functions of a connection, called inside a transaction by `records` and by everything that belongs to a room.
Knows nothing of what happens in a room.
"""

from collections.abc import Callable

import apsw
import msgspec

from actors.messages import Binding, GetRoom, ListRooms, Place, RenameRoom, Room, RoomSettings, UnfinishedRooms
from actors.store.codes import new_code
from actors.store.errors import Conflict, UnknownRoom
from actors.store.texts import slug_for, storable

_ROOMS = (
    "SELECT slug, front, chat, thread, title, workspace, session_id, leaf, created_at, updated_at, settings, project, "
    "gone_at FROM rooms"
)
# An open question counts too: somebody has to say when its time is over.
_UNFINISHED = (
    " WHERE slug IN (SELECT room FROM inbound WHERE state = 'queued')"
    " OR slug IN (SELECT room FROM turns WHERE outcome IS NULL)"
    " OR slug IN (SELECT room FROM questions WHERE state = 'open')"
)
_NOWHERE = "nowhere"
"""The front of a room while another one takes its place."""

_Row = tuple[
    str, str, int, int | None, str, str, str, str | None, float, float, str, str | None, float | None
]  # as in _ROOMS


class Setting(msgspec.Struct, frozen=True):
    """What a transaction is told of the world.

    `now`: Unix seconds. `root`: absolute path that holds the workspaces. `token`: a few random characters of
    `[A-Za-z0-9]`, new for each transaction. `code`: gives a new code for a stranger.
    """

    now: float
    root: str
    token: str
    code: Callable[[], str] = new_code


def room(db: apsw.Connection, slug: str) -> Room:
    """The room of that name. Raises `UnknownRoom`."""
    row = db.execute(_ROOMS + " WHERE slug = ?", (slug,)).fetchone()
    if row is None:
        raise UnknownRoom(slug)
    return _room(row)


def room_at(db: apsw.Connection, place: Place) -> Room | None:
    """The room of that place, if it has one."""
    row = db.execute(
        _ROOMS + " WHERE front = ? AND chat = ? AND ifnull(thread, '') = ifnull(?, '')",  # the unique index's terms
        (place.front, place.chat, place.thread),
    ).fetchone()
    return None if row is None else _room(row)


def has_failed(db: apsw.Connection, slug: str) -> bool:
    """Whether the room gave up and nothing has been tried since."""
    return bool(db.execute("SELECT failed_at IS NOT NULL FROM rooms WHERE slug = ?", (slug,)).get)


def make_room(db: apsw.Connection, setting: Setting, place: Place, title: str, binding: Binding | None = None) -> Room:
    """A new room with a name and a session of its own, and a workspace of its own if it is not bound to a project."""
    slug = slug_for(place, title, taken=names(db))
    session = f"{slug}-{setting.token}"
    db.execute(
        "INSERT INTO rooms (slug, front, chat, thread, title, workspace, project, session_id, created_at, updated_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
        (
            slug,
            place.front,
            place.chat,
            place.thread,
            storable(title),
            f"{setting.root}/{slug}" if binding is None else binding.workspace,
            None if binding is None else binding.project,
            session,
            setting.now,
        ),
    )
    db.execute(
        "INSERT INTO sessions (id, room, began_at, used_at) VALUES (?1, ?2, ?3, ?3)", (session, slug, setting.now)
    )
    return room(db, slug)


def names(db: apsw.Connection) -> set[str]:
    """Every slug that there is, for rooms and sub-agents have their names from one store."""
    return {each for (each,) in db.execute("SELECT slug FROM rooms UNION ALL SELECT slug FROM subagents")}


def wake(db: apsw.Connection, slug: str) -> None:
    """Somebody speaks in the room: what it gave up is tried again, even if this message is refused."""
    db.execute("UPDATE rooms SET failed_at = NULL WHERE slug = ?", (slug,))


def bind(db: apsw.Connection, slug: str, binding: Binding) -> None:
    """The room works in that project's folder."""
    db.execute("UPDATE rooms SET project = ?, workspace = ? WHERE slug = ?", (binding.project, binding.workspace, slug))


def settle(db: apsw.Connection, slug: str, settings: RoomSettings) -> None:
    """What people have set for the room is this."""
    db.execute("UPDATE rooms SET settings = ? WHERE slug = ?", (msgspec.json.encode(settings).decode(), slug))


def move(db: apsw.Connection, now: float, slug: str, place: Place) -> None:
    """The room stands in that place from now on.

    One that came to be there in the meantime, by a message that was faster, gives way: what waits in it goes over.
    """
    home, other = room(db, slug), room_at(db, place)
    if other is not None and other.slug != slug:
        _put(db, other.slug, Place(_NOWHERE, place.chat, place.thread))
        _put(db, slug, place)
        _put(db, other.slug, home.place)
        db.execute("UPDATE rooms SET gone_at = ? WHERE slug = ?", (now, other.slug))
        db.execute("UPDATE inbound SET room = ? WHERE room = ? AND state IN ('queued', 'held')", (slug, other.slug))
    else:
        _put(db, slug, place)


def get_room(db: apsw.Connection, request: GetRoom) -> Room:
    """One room by its name."""
    return room(db, request.slug)


def list_rooms(db: apsw.Connection, request: ListRooms) -> tuple[Room, ...]:
    """The most recently used rooms."""
    return tuple(map(_room, db.execute(_ROOMS + " ORDER BY updated_at DESC, slug LIMIT max(0, ?)", (request.limit,))))


def unfinished_rooms(db: apsw.Connection, _request: UnfinishedRooms) -> tuple[Room, ...]:
    """The rooms to wake after a start, the longest unused first."""
    return tuple(map(_room, db.execute(_ROOMS + _UNFINISHED + " ORDER BY updated_at, slug")))


def rename_room(db: apsw.Connection, request: RenameRoom) -> None:
    """Another title; the slug stays, for it names a folder and is typed by people."""
    home = room_at(db, request.place)
    if home is not None and request.title:
        db.execute("UPDATE rooms SET title = ? WHERE slug = ?", (storable(request.title), home.slug))


def open_turn_of(db: apsw.Connection, slug: str) -> str | None:
    """The id of the room's open turn, if it has one."""
    turn: str | None = db.execute("SELECT id FROM turns WHERE room = ? AND outcome IS NULL", (slug,)).get
    return turn


def no_open_turn(db: apsw.Connection, request: str, slug: str) -> None:
    """Raises `Conflict` while a turn of the room is open: it belongs to its session and its folder."""
    turn = open_turn_of(db, slug)
    if turn is not None:
        raise Conflict(request, f"turn {turn} of room {slug} has not ended in the old session")


def _put(db: apsw.Connection, slug: str, place: Place) -> None:
    db.execute(
        "UPDATE rooms SET front = ?, chat = ?, thread = ? WHERE slug = ?", (place.front, place.chat, place.thread, slug)
    )


def _room(row: _Row) -> Room:
    slug, front, chat, thread, title, workspace, session_id, leaf, created_at, updated_at, settings, project, gone = row
    return Room(
        slug=slug,
        place=Place(front, chat, thread),
        title=title,
        workspace=workspace,
        session_id=session_id,
        leaf=leaf,
        created_at=created_at,
        updated_at=updated_at,
        settings=msgspec.json.decode(settings, type=RoomSettings),
        project=project,
        gone_at=gone,
    )
