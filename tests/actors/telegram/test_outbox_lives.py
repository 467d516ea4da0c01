"""What the outbox knows of its past: what an earlier life has sent counts, and an outage is over for all at once."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.messages import DeliveryKind, NewDelivery, Place
from actors.telegram.outbox import FIRST_PAUSE, LONGEST_DOUBT
from actors.telegram.pacing import Pacing
from tests.actors.telegram.house import CHAT, OUTBOX, house
from tests.fakes.telegram import Fault, Limits

ALICE = Place("telegram", 1000)


@pytest.mark.parametrize("kept", [True, False], ids=["incarnation", "service"])
async def test_what_an_earlier_life_has_sent_counts(loopback_clock: MockClock, kept: bool) -> None:
    async with house(gateway=False, outbox=False, limits=Limits()) as here:
        here.pacing = Pacing() if kept else None  # those of a killed service are gone: only the rows say what it sent
        await here.start_outbox()
        await here.answer(*(f"one {number}" for number in range(5)))
        await here.done(5)
        await here.system.restart_child(OUTBOX)
        await here.answer(*(f"two {number}" for number in range(3)), turn="t2")
        await here.done(8)
        assert [call.status for call in here.fake.called("sendMessage")] == [200] * 8


async def test_after_an_outage_the_first_that_arrives_calls_the_others(loopback_clock: MockClock) -> None:
    async with house(gateway=False) as here:
        here.fake.world.chat(ALICE.chat)
        here.fake.set_fault("sendMessage", Fault.DROP_BEFORE, times=1000)
        await here.answer("one")
        await here.until(lambda: "next try" in here.doing(OUTBOX))
        await trio.sleep(4 * LONGEST_DOUBT)
        here.fake.clear_faults()
        well = trio.current_time()
        await here.answer("hello", place=ALICE, turn="t2")
        await here.done(2)
        arrived = here.fake.called("sendMessage")[-1]
        assert arrived.params["chat_id"] == CHAT
        assert trio.current_time() - well < 3 * FIRST_PAUSE


async def test_a_chat_that_alone_goes_wrong_is_not_called_again_and_again(
    loopback_clock: MockClock, tmp_path: Path
) -> None:
    async with house(gateway=False) as here:
        here.fake.world.chat(ALICE.chat)
        (tmp_path / "poison.txt").write_text("poison")
        here.fake.set_fault("sendDocument", Fault.SERVER_ERROR, times=1000)
        slug = await here.begin()
        await here.tell(slug, NewDelivery(kind=DeliveryKind.NOTE, text="", file=str(tmp_path / "poison.txt")))
        for number in range(30):
            await here.answer(f"hello {number}", place=ALICE, turn=f"a{number}")
            await trio.sleep(1)
        assert len(here.fake.said(ALICE.chat)) >= 20
        assert len(here.fake.called("sendDocument")) <= 5  # after 2, 4, 8 and 16 s
