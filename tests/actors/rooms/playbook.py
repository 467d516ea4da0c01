"""A room's state machine for tests, led as its shell leads it: facts that are short to write, steps that follow."""

import msgspec

from actors.messages import (
    AgentReady,
    BusyMode,
    DeliveryKind,
    Entry,
    ModelInfo,
    NewDelivery,
    Outcome,
    PromptRefused,
    Queued,
    Recalled,
    SteerTaken,
    TurnSettled,
    Usage,
    Work,
)
from actors.rooms import trouble, words
from actors.rooms.course import AGAIN
from actors.rooms.fates import MOST_ATTEMPTS, Setting
from actors.rooms.steps import Begin, End, Known, SendAbort, SendPrompt, SendRecall, ShowTurn, Step, TellPeople
from actors.rooms.trouble import Loss, goes_on, went_on
from actors.rooms.turns import Turns
from tests.actors.rooms.rows import PROJECTS, command, message, turn, work

NOW = 100.0
SHOWN = ShowTurn("t1", None)
CRASHED = ShowTurn("t1", AGAIN)
BEGIN = Begin("t1", 1, (1,), "leaf1")
MODELS = (ModelInfo(id="ant/small"), ModelInfo(id="ant/large", images=True))


# --- facts


def pull(turns: Turns, rows: Work, known: Known | None = None) -> list[Step]:
    """The rows as they are now."""
    return turns.pulled(rows, known or Known(NOW))


def greeting(incarnation: int, leaf: str | None, *, cost: float = 0.0) -> AgentReady:
    """An agent is ready."""
    return AgentReady(
        incarnation=incarnation,
        session_id="shop-1",
        leaf=leaf,
        model=MODELS[0],
        thinking="low",
        models=MODELS,
        usage=Usage(cost=cost),
    )


def greet(turns: Turns, incarnation: int, leaf: str | None) -> list[Step]:
    """An agent is ready."""
    return turns.agent_ready(greeting(incarnation, leaf))


def settle(
    turns: Turns,
    incarnation: int,
    turn: str,
    text: str,
    stop_reason: str = "stop",
    error: str = "",
    leaf: str | None = "leaf2",
    unconsumed: tuple[int, ...] = (),
) -> list[Step]:
    """The run is over."""
    return turns.settled(
        TurnSettled(
            turn=turn,
            incarnation=incarnation,
            text=text,
            stop_reason=stop_reason,
            error=error,
            leaf=leaf,
            unconsumed=unconsumed,
        )
    )


def recall(turns: Turns, incarnation: int, turn: str, entries: tuple[Entry, ...], leaf: str | None) -> list[Step]:
    """What the session holds."""
    return turns.recalled(Recalled(turn=turn, incarnation=incarnation, entries=entries, leaf=leaf))


def refuse(turns: Turns, incarnation: int, turn: str, error: str) -> list[Step]:
    """pi did not take it."""
    return turns.refused(PromptRefused(turn=turn, incarnation=incarnation, error=error))


def taken(turns: Turns, inbound: int, incarnation: int = 1) -> None:
    """The model has heard what joined turn 1."""
    turns.steer_taken(SteerTaken(turn="t1", incarnation=incarnation, inbound=inbound))


# --- steps


def prompt(*rows: int | Queued) -> SendPrompt:
    """The prompt of these messages."""
    queued = tuple(message(row) if isinstance(row, int) else row for row in rows)
    return SendPrompt(f"t{queued[0].id}", queued, {})


def end(
    outcome: Outcome,
    *texts: str,
    answer: str = "",
    leaf: str | None = "leaf1",
    id: int = 1,
    kinds: str = "",
    told: bool | None = None,
) -> End:
    """The end of a turn; `kinds`: one letter for each delivery, a(nswer), r(eport) or n(ote).

    `told`: the agent has said what became of its run, so the cost is known; that is so at leaf2.
    """
    by_letter = {kind.value[0]: kind for kind in DeliveryKind}
    deliveries = tuple(
        NewDelivery(
            kind=by_letter[kinds[at]],
            text=text,
            reply_to=100 + id if at == 0 else None,
            buttons=words.crash(f"t{id}") if kinds[at] == "r" else (),
        )
        for at, text in enumerate(texts)
    )
    cost = 0.0 if told or (told is None and leaf == "leaf2") else None
    return End(f"t{id}", outcome, answer, leaf, deliveries, receipts=(100 + id,), cost=cost)


STOPPED = end(Outcome.STOPPED, "Stopped.", kinds="n")


def done(text: str = "hello", leaf: str | None = "leaf2", id: int = 1) -> End:
    """The end of a turn that went well."""
    return end(Outcome.DONE, text, answer=text, leaf=leaf, id=id, kinds="a")


def set_aside(what: str, *, answer: str = "", leaf: str | None = "leaf1", told: bool | None = None) -> End:
    """The end of turn 1 in quarantine."""
    ended = end(Outcome.QUARANTINED, *filter(None, [answer]), answer=answer, leaf=leaf, kinds="a", told=told)
    report = trouble.set_aside("t1", Loss(what), MOST_ATTEMPTS)
    if not answer:
        report = msgspec.structs.replace(report, reply_to=101)
    return ended._replace(deliveries=(*ended.deliveries, report))


def resumed(what: str = "boom", number: int = 2, *, again: bool = False) -> TellPeople:
    """The note that turn 1 goes on after a crash."""
    return TellPeople((goes_on(turn(1), Loss(what), number, MOST_ATTEMPTS, again=again),))


def crashed(ended: End, what: str = "boom", number: int = 1, *, well: bool = True) -> End:
    """The end of turn 1, with what its note says then."""
    return ended._replace(deliveries=(*ended.deliveries, went_on(turn(1), Loss(what), number, done=well)))


# --- rooms


def room(busy: BusyMode = "follow_up", on_restart: Setting = "resume") -> Turns:
    """A room that knows nothing yet."""
    return Turns(busy, PROJECTS, on_restart)


def ready(busy: BusyMode = "follow_up", on_restart: Setting = "resume") -> Turns:
    """An idle room whose agent is ready and stands at leaf1."""
    turns = room(busy, on_restart)
    assert pull(turns, work()) == []
    assert greet(turns, 1, "leaf1") == []
    return turns


def beginning(busy: BusyMode = "follow_up") -> Turns:
    """Message 1 is there; commit 1b is not."""
    turns = ready(busy)
    assert pull(turns, work(message(1))) == [SHOWN, BEGIN]
    return turns


def running(busy: BusyMode = "follow_up") -> Turns:
    """Message 1 has been given to the agent."""
    turns = beginning(busy)
    assert turns.began(turn(1, leaf_before="leaf1")) == [prompt(1)]
    return turns


def recalling(attempt: int = 2, on_restart: Setting = "resume") -> Turns:
    """The service has crashed and the agent is asked what it knows of the turn."""
    turns = room(on_restart=on_restart)
    pull(turns, work(turn=turn(1, attempt - 1)))
    assert greet(turns, 2, "leaf1") == [Begin("t1", attempt, (1,), "leaf0")]
    assert turns.began(turn(1, attempt)) == [SendRecall("t1", "leaf0")]
    return turns


def stopping(busy: BusyMode = "follow_up") -> Turns:
    """A person has stopped the turn."""
    turns = running(busy)
    assert pull(turns, work(turn=turn(1), commands=(command(2, "stop"),))) == [SendAbort("t1")]
    return turns


def texts(steps: list[Step]) -> list[str]:
    """What people are told by answers to commands."""
    return [told.text for step in steps for told in getattr(step, "deliveries", ())]


def steered(*rows: Queued) -> tuple[Queued, ...]:
    """The rows once they have joined a turn."""
    return tuple(msgspec.structs.replace(row, steered=True) for row in rows)
