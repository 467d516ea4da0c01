"""What an outbox's mailbox may leave out, and what the Stop button carries."""

from actors.messages import EndProgress, Mark, Place, React, ShowProgress, Wake, outbox_key, stop_data

HERE = Place("telegram", -100, 7)
LIMIT = 64
"""Bytes that Telegram takes of a button's data (Bot API, InlineKeyboardButton)."""


def picture(turn: str) -> ShowProgress:
    return ShowProgress(place=HERE, turn=turn, text="", tools=(), since=0.0)


def receipt(message: int, mark: Mark) -> React:
    return React(place=HERE, message_id=message, mark=mark)


def test_one_wake_and_one_picture_for_each_turn_are_kept_and_every_end() -> None:
    assert outbox_key(Wake()) == outbox_key(Wake()) is not None
    assert outbox_key(picture("t1")) == outbox_key(picture("t1"))
    assert outbox_key(picture("t1")) != outbox_key(picture("t2"))
    assert outbox_key(EndProgress(place=HERE, turn="t1")) is None


def test_the_newest_receipt_of_a_message_is_kept() -> None:
    assert outbox_key(receipt(1, Mark.SEEN)) == outbox_key(receipt(1, Mark.DONE))
    assert outbox_key(receipt(1, Mark.SEEN)) != outbox_key(receipt(2, Mark.SEEN))


def test_a_stop_button_fits_whatever_the_row_is_called() -> None:
    assert len(stop_data(f"t{2**63 - 1}").encode()) <= LIMIT
