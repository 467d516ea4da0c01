"""The rows of rooms: made at a place's first message, read by name or place, listed.

Plain functions of a connection, called inside a transaction by `records` and by the inbounds and turns, which belong to
a room each. Knows nothing of what happens in a room.
"""

import apsw
import msgspec

from actors.messages import GetRoom, ListRooms, Place, Room, UnfinishedRooms
from actors.store.errors import UnknownRoom
from actors.store.texts import slug_for, storable

_ROOMS = "SELECT slug, front, chat, thread, title, workspace, session_id, leaf, created_at, updated_at FROM rooms"
_UNFINISHED = (
    " WHERE slug IN (SELECT room FROM inbound WHERE state = 'queued')"
    " OR slug IN (SELECT room FROM turns WHERE outcome IS NULL)"
)
_Row = tuple[str, str, int, int | None, str, str, str, str | None, float, float]


class Setting(msgspec.Struct, frozen=True):
    """What a transaction is told of the world.

    `now`: Unix seconds. `root`: absolute path that holds the workspaces. `token`: a few random characters of
    `[A-Za-z0-9]`, new for each transaction.
    """

    now: float
    root: str
    token: str


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


def make_room(db: apsw.Connection, setting: Setting, place: Place, title: str) -> Room:
    """A new room with a name, a workspace and a session of its own."""
    slug = slug_for(place, title, taken={each for (each,) in db.execute("SELECT slug FROM rooms")})
    db.execute(
        "INSERT INTO rooms (slug, front, chat, thread, title, workspace, session_id, created_at, updated_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        (
            slug,
            place.front,
            place.chat,
            place.thread,
            storable(title),
            f"{setting.root}/{slug}",
            f"{slug}-{setting.token}",
            setting.now,
        ),
    )
    return room(db, slug)


def get_room(db: apsw.Connection, request: GetRoom) -> Room:
    """One room by its name."""
    return room(db, request.slug)


def list_rooms(db: apsw.Connection, request: ListRooms) -> tuple[Room, ...]:
    """The most recently used rooms."""
    return tuple(map(_room, db.execute(_ROOMS + " ORDER BY updated_at DESC, slug LIMIT max(0, ?)", (request.limit,))))


def unfinished_rooms(db: apsw.Connection, _request: UnfinishedRooms) -> tuple[Room, ...]:
    """The rooms to wake after a start, the longest unused first."""
    return tuple(map(_room, db.execute(_ROOMS + _UNFINISHED + " ORDER BY updated_at, slug")))


def _room(row: _Row) -> Room:
    slug, front, chat, thread, title, workspace, session_id, leaf, created_at, updated_at = row
    return Room(
        slug=slug,
        place=Place(front, chat, thread),
        title=title,
        workspace=workspace,
        session_id=session_id,
        leaf=leaf,
        created_at=created_at,
        updated_at=updated_at,
    )
