"""The folder in which a room's agent works, looked at before each start: it is there, it is a folder, and it is ours.

Asked by `agent`, in a thread; it blocks. A room's own folder is made if there is none; a project's never is, because
an empty one in its place would be taken for the project.
"""

import errno
import os
import stat

from actors.messages import Room
from actors.pi.errors import Misconfigured


def see_to(room: Room) -> bool:
    """Make the folder of a room that has one of its own, if need be; returns whether it was made.

    Raises Misconfigured: it is a project's and gone, no folder, another user's, or cannot be made, read or written.
    """
    folder, made = room.workspace, False
    other_place = (
        "set workspace under [rooms] to another place"
        if room.project is None
        else "bind this room to another project with /topic"
    )
    try:
        if not os.path.lexists(folder):
            if room.project is not None:
                raise Misconfigured(
                    f"the folder {folder} of the project {room.project} is gone: put it back and write /restart, or "
                    f"{other_place}"
                )
            os.makedirs(folder)
            made = True
        found = os.stat(folder)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "there is a file in its place")
    except OSError as error:
        raise Misconfigured(
            f"the folder {folder} cannot be made ({error.strerror}): mend that and write /restart, or {other_place}"
        ) from error
    if room.project is None and found.st_uid != os.geteuid():
        raise Misconfigured(
            f"the folder {folder} belongs to another user: remove it or give it to the service's, and write /restart"
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Misconfigured(
            f"the folder {folder} cannot be written by the service's user: change its mode or its disk's, and write "
            "/restart"
        )
    return made
