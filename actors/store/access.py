"""Who may speak on a front end, as far as the rows say, and what its rooms listen to.

Whom the configuration allows is no row.
"""

import apsw

from actors.messages import Access, GetAccess, Place
from actors.store.groups import allowed_groups
from actors.store.people import people_of


def get_access(db: apsw.Connection, request: GetAccess) -> Access:
    """All that was approved on one front end, and what its rooms listen to."""
    rows = db.execute(
        "SELECT front, chat, thread, settings ->> 'listen' AS listen FROM rooms WHERE front = ? AND listen IS NOT NULL",
        (request.front,),
    )
    return Access(
        people=people_of(db, request.front),
        groups=allowed_groups(db, request.front),
        listen={Place(front, chat, thread): listen for front, chat, thread, listen in rows},
    )
