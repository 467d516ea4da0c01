"""A short kill campaign for every run of the tests: half a minute with the real pi, and less with the scripted one.

Only what must never be is judged here, not how fast anything was. A failing one is replayed with the same seed, for as
long as one likes: `make campaign ARGS="kill --seed 5 --rooms 3"`.
"""

import pytest

from tests.campaign.kill import campaign
from tests.campaign.verdict import table

MOST = 1000
SEED = 5


@pytest.mark.parametrize(("pi", "seconds"), [("real", 24.0), ("scripted", 10.0)])
async def test_kills_lose_nothing_repeat_nothing_and_leave_nothing(pi: str, seconds: float) -> None:
    tale = await campaign(f"{SEED}/{pi}", MOST, pi=pi, rooms=3, seconds=seconds)
    assert table(tale).broken == []
    assert tale.kills.total() > 1
    assert len(tale.ledger.finals) > 1
