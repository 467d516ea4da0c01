"""The parts of the outage campaign, each seen to find what it is there for, and a short one for every run of the tests.

A failing one is replayed for as long as one likes: `make campaign ARGS="outage --quick --seed 3"`.
"""

import json
from collections.abc import Callable
from math import isclose

import httpx
import pytest
import trio

from tests.campaign import brisk
from tests.campaign.ledger import REPETITION
from tests.campaign.outage import Tap, campaign, kinds, verdict
from tests.campaign.outages import KINDS, Outage, report_trouble, resent, told_badly, too_early
from tests.campaign.provider import HANGS, Provider, Trouble, last_said, open_provider
from tests.fakes.llm import KEY, MODEL
from tests.fakes.telegram import Call, Fault

DONE = "done-1\n\n2 s"


def call(at: float, text: str = DONE, *, chat: int = 1, status: int | None = 200, method: str = "sendMessage") -> Call:
    return Call(at, method, {"chat_id": chat, "text": text}, status)


# --- what can be said of calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "early"),
    [
        (call(1.1), False),  # it was on its way
        (call(2.0), True),
        (call(2.0, method="sendChatAction"), True),  # not even typing
        (call(2.0, chat=2), False),
        (call(4.0), False),
    ],
)
def test_a_chat_that_is_not_left_in_silence_is_seen(other: Call, *, early: bool) -> None:
    refused = call(1.0, status=429)
    assert bool(too_early([(refused, 3.0)], [refused, other])) == early


@pytest.mark.parametrize(
    ("status", "later", "when"),
    [
        (429, [call(5.0)], 5.0),
        (429, [call(2.0, status=429), call(6.0)], 6.0),
        (None, [call(3.0, f"{REPETITION}\n{DONE}")], 4.0),  # sooner than the outage was over
        (None, [call(5.0, "done-2\n\n2 s"), call(5.0, chat=2)], None),  # that is something else
        (None, [], None),
    ],
)
def test_what_was_held_up_is_known_when_it_comes(status: int | None, later: list[Call], when: float | None) -> None:
    struck = call(1.0, status=status)
    assert resent(Outage("429", 1.0, 4.0, call=struck), [struck, *later]) == when


def test_a_slow_call_that_was_waited_for_is_well_at_its_end() -> None:
    struck = call(1.0)
    assert resent(Outage("Telegram is slow", 1.0, 3.0, call=struck), [struck]) == 3.0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("The model could not answer: 401: no such key", 0),
        (f"{REPETITION}\nThe model could not answer: 401", 0),
        ("Something failed.\n\nAnd something else.", 1),
        ("The model could not answer: " + "x" * 300, 1),
        ("Traceback (most recent call last): …", 1),
    ],
)
def test_a_report_is_one_sentence(text: str, wrong: int) -> None:
    assert len(told_badly(text)) == wrong


def test_a_report_is_known_by_its_trouble() -> None:
    assert [report_trouble(text) for text in ("401: x", "error 500", "Request timed out.", "no")] == [
        "401",
        "500",
        "timed out",
        "other",
    ]


def test_a_tap_notes_the_call_that_met_the_fault() -> None:
    calls = [call(1.0)]
    tap = Tap(calls)
    tap.extend([(Fault.FLOOD, 2.0), (Fault.FLOOD, 3.0)])
    assert tap.popleft() == (Fault.FLOOD, 2.0)
    calls.append(call(2.0))
    tap.popleft()
    assert tap.struck == [(Fault.FLOOD, 2.0, calls[0]), (Fault.FLOOD, 3.0, calls[1])]


# --- the provider -----------------------------------------------------------------------------------------------------


def test_it_answers_what_was_said_last() -> None:
    context = [["user", "say-1 quick"], ["user", "say-2 quick"], ["assistant", "done-2"], ["user", "say-1 quick"]]
    assert last_said(context)["deltas"] == ["done-1"]
    assert last_said(context[:2])["deltas"] == ["done-2"]


async def ask(provider: Provider, text: str) -> httpx.Response:
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient(trust_env=False, timeout=3.0) as client:
        return await client.post(
            f"{provider.base_url}/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"}
        )


async def test_a_message_fails_as_often_as_was_said_and_others_do_not() -> None:
    async with open_provider() as provider:
        provider.give(1, [Trouble.UNAUTHORIZED, Trouble.FAILING])
        assert (await ask(provider, "say-2 quick")).status_code == 200
        assert [(await ask(provider, "say-1 quick")).status_code for _ in range(3)] == [401, 500, 200]


async def test_a_connection_that_hangs_is_closed_without_a_word() -> None:
    async with open_provider() as provider:
        provider.give(1, [Trouble.HANGING])
        began = trio.current_time()
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(provider, "say-1 quick")
        assert trio.current_time() - began >= HANGS
        assert isclose(provider.failed[1], began + HANGS, abs_tol=1.0)
        assert "done-1" in (await ask(provider, "say-1 quick")).text


async def test_a_silent_one_says_nothing_at_all() -> None:
    async with open_provider() as provider:
        provider.give(1, [Trouble.SILENT])
        with pytest.raises(httpx.ReadTimeout):
            await ask(provider, "say-1 quick")


async def test_one_that_is_gone_refuses_and_comes_back_at_the_same_address() -> None:
    async with open_provider() as provider:
        async with provider.gone():
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(httpx.ConnectError):
                await ask(provider, "say-1 quick")
        assert "done-1" in (await ask(provider, "say-1 quick")).text


# --- the service with a hasty pi --------------------------------------------------------------------------------------


def test_pi_is_made_hasty_and_nothing_else_is_changed() -> None:
    settings = {"retry": {"enabled": True, "maxRetries": 3, "baseDelayMs": 2000}, "httpIdleTimeoutMs": 120_000, "a": 1}
    files: Callable[..., dict[str, str]] = lambda: {"settings.json": json.dumps(settings), "models.json": "{}"}  # noqa: E731
    written = brisk.hasty(files)()
    assert written["models.json"] == "{}"
    assert json.loads(written["settings.json"]) == {
        "retry": {"enabled": True, "maxRetries": 3, "baseDelayMs": 100},
        "httpIdleTimeoutMs": 1500,
        "a": 1,
    }


# --- all of it, in short ----------------------------------------------------------------------------------------------


async def test_outages_lose_nothing_repeat_nothing_and_pass_by_themselves() -> None:
    only = [KINDS[2], KINDS[3], KINDS[4], KINDS[6]]
    tale = await campaign("3", 2, 2, only)
    assert verdict(tale).broken == []
    assert {outage.kind for outage in tale.outages} == set(only)
    assert all(outage.recovered is not None for outage in tale.outages)
    assert tale.reports
    assert len(kinds(tale).lines) == 4 * len(only)
