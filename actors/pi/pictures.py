"""Pictures for the model's eyes: files of the workspace, read, checked and encoded as pi takes them.

Used by `run` before a prompt or a steer. What cannot be used is left out and said, and the words go all the same.
"""

import base64
from collections.abc import Sequence
from functools import partial
from typing import Final

from actors.pi.commands import Image
from actors.pi.disk import TooSlow, off_thread
from actors.pi.inside import NotOurs, open_inside

MAX_SIZE: Final = 10_000_000
"""Bytes of one picture."""
MAX_TOTAL: Final = 12_000_000
"""Bytes of all pictures of one message: they travel as one line."""
READ_DEADLINE: Final = 20.0
"""Seconds for one picture."""


async def load(workspace: str, paths: Sequence[str]) -> tuple[tuple[Image, ...], list[str]]:
    """The pictures that can be used, in order, and for each other one a sentence that says why not."""
    images: list[Image] = []
    refused: list[str] = []
    left = MAX_TOTAL
    for path in paths:
        try:
            image, size = await off_thread(
                partial(_read, workspace, path, min(left, MAX_SIZE)), place=workspace, seconds=READ_DEADLINE
            )
        except NotOurs as error:
            refused.append(f"the picture {_name(path)} was left out: it {error}")
        except TooSlow as error:
            refused.append(f"the picture {_name(path)} was left out: {error}")
        else:
            left -= size
            images.append(image)
    return tuple(images), refused


def kind_of(head: bytes) -> str | None:
    """The type of a picture by its first 12 bytes; None if it is of none that models read."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def _read(workspace: str, path: str, most: int) -> tuple[Image, int]:
    """The picture, and its size in bytes. Raises NotOurs."""
    file, _ = open_inside(workspace, path, most=most)
    with file:
        try:
            content = file.read(most + 1)  # it may be growing
        except OSError as error:
            raise NotOurs(f"cannot be read ({error.strerror})") from None
    kind = kind_of(content)
    if kind is None:
        raise NotOurs("is no PNG, JPEG, GIF or WebP")
    if len(content) > most:
        raise NotOurs(f"is too large (at most {most / 1e6:g} MB)")
    return Image(data=base64.b64encode(content).decode("ascii"), mime_type=kind), len(content)


def _name(path: str) -> str:
    return path.rpartition("/")[2][:100]
