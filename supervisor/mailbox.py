"""Where messages wait: a trio memory channel with a policy, and two lanes that overtake it.

Only the runtime touches this. The channel is made at the first message: most actors of a large tree hear nothing.
Nothing here takes a checkpoint while there is something to take and the budget lasts: that makes it fast. The budget
(64 messages or 200 us, checked before taking, so that a cancel loses nothing) keeps it fair. A look at the clock costs
a fifth of a message, so it is taken only as often as the messages so far have shown to be needed.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from time import perf_counter
from typing import Any, Final

import trio

from supervisor.orders import LookOrder
from supervisor.spec import Mailbox, Overflow

BUDGET_MESSAGES: Final = 64
BUDGET_SECONDS: Final = 200e-6


LONGEST_STRIDE: Final = 32
"""How many messages may be taken between two looks at the clock."""


class _Slot:
    """A coalesced message's place in the channel; a newer message of the same key replaces the one it holds."""

    __slots__ = ("key", "message")

    def __init__(self, key: Hashable, message: object) -> None:
        self.key = key
        self.message = message


class Box:
    """One actor's mailbox. One receiver; any number of senders.

    `dropped` is told of each message that DROP_OLDEST pushes out.
    """

    __slots__ = (
        "_dropped", "_left", "_looked", "_receive", "_received", "_send", "_slots", "_stride", "_until",
        "budget", "closed", "control", "late", "parked", "push", "push_whole", "receive_nowait", "spec", "urgent",
    )  # fmt: skip

    def __init__(self, spec: Mailbox, dropped: Callable[[Any], None]) -> None:
        self.spec = spec
        self.closed = False
        self.control: list[Any] = []
        self.urgent: deque[Any] | None = None
        self.late: deque[Any] | None = None
        """Calls that found no room. Each is a caller who waits for the end of his call, and that bounds them."""
        self.parked: trio.lowlevel.Task | Callable[[], None] | None = None
        """The receiver while it waits, or what begins it; whoever has put something in wakes it."""
        self._received = 0
        self._dropped = dropped
        self._send: trio.MemorySendChannel[Any] | None = None
        self._receive: trio.MemoryReceiveChannel[Any] | None = None
        self.receive_nowait: Callable[[], Any] = _none_yet
        """The channel's own, once it is made; what it gives must go through `unwrap`."""
        self._slots: dict[Hashable, _Slot] | None = None if spec.coalesce is None else {}
        self.push: Callable[[Any], None] = self._push_first
        """Take a message in without waiting. Raises `trio.WouldBlock` if the box is full and its policy does not drop.

        Of a plain box it is the channel's own `send_nowait`, because each call in between costs a tenth of a message;
        so who calls it also wakes a `parked` receiver.
        """
        self.push_whole: Callable[[Any], None] = self.push
        """Like `push`, for what nothing may replace: a request, or a message without a key."""
        # How many may be taken before the next look at the clock, how many that were at the last one, how many after.
        self.budget = self._stride = self._left = 0
        self._looked = self._until = 0.0

    def __len__(self) -> int:
        waiting = 0 if self._send is None else self._send.statistics().current_buffer_used
        return waiting + (len(self.urgent) if self.urgent else 0)

    @property
    def received(self) -> int:
        """How many messages were taken out of the channel and the urgent lane."""
        return self._received + self._stride - self.budget

    @property
    def untouched(self) -> bool:
        """Whether nothing has ever been in it."""
        return self._send is None and not (self.control or self.urgent or self.closed)

    # --- senders

    def put(self, message: object) -> bool:
        """Take a message in without waiting; False if the box is full and its policy does not drop."""
        try:
            self.push(message)
        except trio.WouldBlock:
            return False
        if self.parked is not None:
            self.wake()
        return True

    def put_whole(self, message: object) -> bool:
        """Like `put`, for what nothing may replace."""
        try:
            self.push_whole(message)
        except trio.WouldBlock:
            return False
        if self.parked is not None:
            self.wake()
        return True

    def wait_in_line(self, call: object) -> None:
        """Take a call in as soon as there is room; its caller waits for its end, not for this."""
        if self.late is None:
            self.late = deque()
        self.late.append(call)

    def wake(self) -> None:
        """Have a receiver that waits look again."""
        waiting, self.parked = self.parked, None
        if isinstance(waiting, trio.lowlevel.Task):
            trio.lowlevel.reschedule(waiting)
        elif waiting is not None:
            waiting()

    def _push_first(self, message: object) -> None:
        self._open()
        self.push(message)

    def _push_slot(self, message: object) -> None:
        slots, coalesce = self._slots, self.spec.coalesce
        if slots is None or coalesce is None or (key := coalesce(message)) is None:
            self._push_whole(message)
            return
        slot = slots.get(key)
        if slot is None:
            slot = _Slot(key, message)
            self._push_dropping(slot)
            slots[key] = slot
        else:
            slot.message = message

    def _push_whole(self, message: object) -> None:
        if self._slots:
            self._slots.clear()  # what comes after it may not overtake it by replacing an older snapshot
        self._push_dropping(message)

    def _push_dropping(self, item: object) -> None:
        assert self._send is not None
        try:
            self._send.send_nowait(item)
        except trio.WouldBlock:
            if self.spec.overflow is not Overflow.DROP_OLDEST:
                raise
            self._dropped(self.unwrap(self.receive_nowait()))
            self._send.send_nowait(item)

    async def wait_put(self, message: object) -> None:
        """Take the message in as soon as there is room. Raises `trio.BrokenResourceError` when the box closes."""
        if self._send is None:
            self._open()
        assert self._send is not None
        await self._send.send(message)
        if self.parked is not None:
            self.wake()

    def put_urgent(self, message: object) -> bool:
        """Take the message into the lane that overtakes the channel; False if that lane is at the box's bound."""
        if self.urgent is None:
            self.urgent = deque()
        if len(self.urgent) >= self.spec.bound:
            return False
        self.urgent.append(message)
        self.order(LookOrder())
        return True

    def order(self, order: object) -> None:
        """Put an order of the runtime into the lane that no message can block."""
        self.control.append(order)
        if self.parked is not None:
            self.wake()

    # --- the receiver

    async def take(self, *, empty: bool = False) -> Any:
        """The next order, else the next urgent message, else the next message. Waits while there is none.

        `empty`: the caller has just found the channel empty, so that need not be tried again.
        """
        while True:
            # No await between this test and parking, except the checkpoint that starts over: an order is never missed.
            if self.control:
                order = self.control.pop(0)
                if type(order) is LookOrder:
                    continue
                return order
            if self.budget <= 0 and self._is_used_up():
                await trio.lowlevel.checkpoint()
                self.begin_turn()
                empty = False
                continue
            if self.urgent:
                self.budget -= 1
                return self.urgent.popleft()
            if self.late:
                self._let_in(self.late)
                empty = False
            if not empty:
                try:
                    item = self.receive_nowait()
                except trio.WouldBlock:
                    empty = True
                    continue  # to park out here: a parked handler of an exception would keep its traceback alive
                self.budget -= 1
                return self.unwrap(item) if self._slots is not None else item
            self.parked = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
            self.begin_turn()
            empty = False

    def begin_turn(self) -> None:
        """The receiver's task has just got its turn: the budget is whole."""
        self._received += self._stride - self.budget
        self.budget = self._stride = 1
        self._left = BUDGET_MESSAGES - 1
        self._looked = perf_counter()
        self._until = self._looked + BUDGET_SECONDS

    @property
    def turn_is_over(self) -> bool:
        """Whether the receiver has gone on for so long that it is others' turn."""
        return perf_counter() >= self._until

    async def take_order(self) -> Any:
        """The next order of the control lane; messages wait."""
        while not self.control:
            self.parked = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        return self.control.pop(0)

    def drain(self) -> Iterator[Any]:
        """Take out all that waits, the messages of waiting senders too."""
        while self.urgent:
            yield self.urgent.popleft()
        while self._receive is not None:
            try:
                item = self._receive.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                break
            yield self.unwrap(item)
        while self.late:
            yield self.late.popleft()

    def close(self) -> None:
        """No message can come any more; senders that wait get `trio.BrokenResourceError`."""
        self.closed = True
        self.push = self.push_whole = self._dropped = _refuse  # and no more rings of its own and its owner's methods
        if self._receive is not None:
            self._receive.close()

    # --- inside

    def _open(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Any](self.spec.bound)
        self.receive_nowait = self._receive.receive_nowait
        if self._slots is None and self.spec.overflow is not Overflow.DROP_OLDEST:
            self.push = self.push_whole = self._send.send_nowait
        else:
            self.push, self.push_whole = self._push_slot, self._push_whole

    def unwrap(self, item: object) -> object:
        """The message that came out of the channel as `item`."""
        if type(item) is _Slot:
            if self._slots is not None and self._slots.get(item.key) is item:
                del self._slots[item.key]
            return item.message
        return item

    def _is_used_up(self) -> bool:
        """Look at the clock; if there is budget left, take the longest stride that keeps within it."""
        now = perf_counter()
        if self._left <= 0 or now >= self._until:
            return True
        each = (now - self._looked) / self._stride
        self._received += self._stride - self.budget
        self._looked = now
        self.budget = self._stride = max(1, min(LONGEST_STRIDE, self._left, int((self._until - now) / (each or 1e-9))))
        self._left -= self._stride
        return False

    def _let_in(self, late: "deque[Any]") -> None:
        """Move calls that wait in line into the channel, as far as there is room."""
        try:
            while late:
                self.push_whole(late[0])
                late.popleft()
        except trio.WouldBlock:
            return

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.parked = None
        return trio.lowlevel.Abort.SUCCEEDED


def _refuse(message: object) -> None:  # noqa: ARG001  # a protocol's
    raise trio.BrokenResourceError


def _none_yet() -> Any:
    raise trio.WouldBlock
