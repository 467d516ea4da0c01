"""Buttons as the store keeps them: as JSON beside their delivery, each known by the delivery and its number in it.

Pure. `deliveries` gives them out, `presses` finds them again.
"""

import re

import msgspec

from actors.messages import Button
from actors.store.texts import storable

Rows = tuple[tuple[Button, ...], ...]


def kept(rows: Rows) -> str:
    """What a delivery's row says of its buttons."""
    return msgspec.json.encode(tuple(tuple(map(_storable, row)) for row in rows)).decode()


def buttons_of(kept: str) -> Rows:
    """The buttons that a delivery's row speaks of."""
    return msgspec.json.decode(kept, type=Rows)


def press_data(delivery: int, number: int) -> str:
    """What a button carries. `number`: counted over all rows, from 0."""
    return f"b:{delivery}:{number}"


def pressed(data: str) -> tuple[int, int] | None:
    """The delivery and the number of the button that carries this; None for what is no such thing."""
    match = re.fullmatch(r"b:([0-9]{1,18}):([0-9]{1,4})", data, re.ASCII)
    return None if match is None else (int(match[1]), int(match[2]))


def filled(rows: Rows, number: int) -> Rows:
    """The buttons with `{id}` in their arguments replaced."""
    return tuple(
        tuple(msgspec.structs.replace(each, argument=each.argument.replace("{id}", str(number))) for each in row)
        for row in rows
    )


def _storable(button: Button) -> Button:
    return Button(label=storable(button.label), command=button.command, argument=storable(button.argument))
