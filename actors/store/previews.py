"""The rows of previews: messages that show a running turn, kept until they are deleted so that no crash orphans one.

Plain functions of a connection and a request, called inside a transaction by `records`.
"""

import apsw

from actors.messages import Place, Preview, PreviewGone, PreviewShown, StalePreviews


def preview_shown(db: apsw.Connection, request: PreviewShown) -> None:
    """Keeps a preview's address; the same one twice is one."""
    preview, place = request.preview, request.preview.place
    db.execute(
        "INSERT INTO previews (turn, message_id, front, chat, thread) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (turn, message_id) DO NOTHING",
        (preview.turn, preview.message_id, place.front, place.chat, place.thread),
    )


def preview_gone(db: apsw.Connection, request: PreviewGone) -> None:
    """Forgets one preview; another one of its turn is still to be deleted."""
    db.execute(
        "DELETE FROM previews WHERE turn = ? AND message_id = ?", (request.preview.turn, request.preview.message_id)
    )


def stale_previews(db: apsw.Connection, request: StalePreviews) -> tuple[Preview, ...]:
    """The previews of turns that have ended and whose answers have arrived, oldest message first."""
    rows = db.execute(
        "SELECT turn, front, chat, thread, message_id FROM previews JOIN turns ON turns.id = turn "
        "WHERE previews.front = ?1 AND outcome IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM deliveries WHERE deliveries.turn = turns.id AND deliveries.ended_at IS NULL) "
        "ORDER BY message_id",
        (request.front,),
    )
    return tuple(
        Preview(turn=turn, place=Place(front, chat, thread), message_id=message_id)
        for turn, front, chat, thread, message_id in rows
    )
