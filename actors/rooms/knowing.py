"""What the commands that wait in a room ask about, beyond its own rows: looked up for the state machine, at a pull."""

from typing import Final

from actors.asking import insist
from actors.messages import ListRooms, Sessions, StoreRequest, Work
from actors.rooms.steps import Known
from supervisor import Ref

_ABOUT_ROOMS: Final = ("threads", "kill", "recreate")
_ABOUT_SESSIONS: Final = ("sessions", "resume")


def wants_log(work: Work) -> bool:
    """Whether somebody asks what has failed."""
    return any(command.command == "log" for command in work.commands)


async def look_up(store: Ref[StoreRequest], work: Work, known: Known) -> Known:
    """The same with the rooms and the sessions, as far as they are asked about."""
    asked = {command.command for command in work.commands}
    if asked.intersection(_ABOUT_ROOMS):
        known = known._replace(rooms=await insist(store, ListRooms()))
    if asked.intersection(_ABOUT_SESSIONS):
        known = known._replace(sessions=await insist(store, Sessions(slug=work.room.slug)))
    return known
