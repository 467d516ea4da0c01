"""The end of a command: what it changes in its room and what is said about it, in one transaction.

A plain function of a connection and a request, called by `records`. Who answers, and with what, is the conversation's
affair; here are only the rows.
"""

import apsw

from actors.messages import AnswerCommand
from actors.store.inbounds import answer, drop, retry
from actors.store.outgoing import tell_room
from actors.store.rooms import bind, no_open_turn, room, settle
from actors.store.sessions import enter
from actors.store.stopping import drop_held, hold, keep_whole, release


def answer_command(db: apsw.Connection, now: float, request: AnswerCommand) -> None:
    """A command is done, once. A session and a folder change only while no turn is open, for a turn belongs to them."""
    home = room(db, request.slug)
    if not answer(db, now, "AnswerCommand", home.slug, request.inbound):
        return
    if request.new_session is not None:
        enter(db, now, "AnswerCommand", home, request.new_session)
    if request.binding is not None:
        no_open_turn(db, "AnswerCommand", home.slug)
        bind(db, home.slug, request.binding)
    if request.settings is not None:
        settle(db, home.slug, request.settings)
    if request.drop is not None:
        drop(db, now, home.slug, request.drop)
    if request.retry is not None:
        retry(db, now, home.slug, request.retry)
    if request.held == "run":
        release(db, now, home.slug, request.inbound)
    elif request.held == "drop":
        drop_held(db, now, home.slug, request.inbound)
    elif request.held == "hold":
        hold(db, now, home.slug, before=request.inbound)
        keep_whole(db, now, home.slug)
    tell_room(db, now, room(db, home.slug), request.deliveries, inbound=request.inbound)
