"""Where messages wait: a trio memory channel with a policy, and two lanes that overtake it.

Only the runtime touches this. The channel is made at the first message: most actors of a large tree hear nothing.
Nothing here takes a checkpoint while there is something to take and the budget lasts: that makes it fast. The budget
(64 messages or 200 us, checked before taking, so that a cancel loses nothing) keeps it fair.
"""

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from time import perf_counter
from typing import Any, Final

import trio

from supervisor.spec import Mailbox, Overflow

BUDGET_MESSAGES: Final = 64
BUDGET_SECONDS: Final = 200e-6


class _Wake:
    """Handed to a parked receiver so that it looks at the lanes."""


_WAKE: Final = _Wake()


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
        "_budget", "_dropped", "_parked", "_receive", "_send", "_slots", "_until",
        "closed", "control", "received", "spec", "urgent",
    )  # fmt: skip

    def __init__(self, spec: Mailbox, dropped: Callable[[Any], None]) -> None:
        self.spec = spec
        self.closed = False
        self.control: deque[Any] = deque()
        self.urgent: deque[Any] | None = None
        self.received = 0
        self._dropped = dropped
        self._send: trio.MemorySendChannel[Any] | None = None
        self._receive: trio.MemoryReceiveChannel[Any] | None = None
        self._slots: dict[Hashable, _Slot] | None = None if spec.coalesce is None else {}
        self._parked: trio.lowlevel.Task | None = None
        self._budget = BUDGET_MESSAGES
        self._until = math.inf

    def __len__(self) -> int:
        waiting = 0 if self._send is None else self._send.statistics().current_buffer_used
        return waiting + (len(self.urgent) if self.urgent else 0)

    # --- senders

    def put(self, message: object) -> bool:
        """Take the message in without waiting; False if the box is full and its policy does not drop."""
        slots, coalesce = self._slots, self.spec.coalesce
        if slots is None or coalesce is None or (key := coalesce(message)) is None:
            return self.put_whole(message)
        slot = slots.get(key)
        if slot is not None:
            slot.message = message
            return True
        slot = _Slot(key, message)
        if not self._offer(slot):
            return False
        slots[key] = slot
        return True

    def put_whole(self, message: object) -> bool:
        """Like `put`, for what nothing may replace: a request, or a message without a key."""
        if self._slots:
            self._slots.clear()  # what comes after it may not overtake it by replacing an older snapshot
        return self._offer(message)

    def _offer(self, item: object) -> bool:
        send = self._send
        if send is None:
            send = self._open()
        try:
            send.send_nowait(item)
        except trio.WouldBlock:
            if self.spec.overflow is not Overflow.DROP_OLDEST:
                return False
            assert self._receive is not None
            self._dropped(self._unwrap(self._receive.receive_nowait()))
            send.send_nowait(item)
        if self._parked is not None:
            self._unpark()
        return True

    async def wait_put(self, message: object) -> None:
        """Take the message in as soon as there is room. Raises `trio.BrokenResourceError` when the box closes."""
        if self._send is None:
            self._open()
        assert self._send is not None
        await self._send.send(message)

    def put_urgent(self, message: object) -> bool:
        """Take the message into the lane that overtakes the channel; False if that lane is at the box's bound."""
        if self.urgent is None:
            self.urgent = deque()
        if len(self.urgent) >= self.spec.bound:
            return False
        self.urgent.append(message)
        self._nudge()
        return True

    def order(self, order: object) -> None:
        """Put an order of the runtime into the lane that no message can block."""
        self.control.append(order)
        self._nudge()

    # --- the receiver

    async def take(self) -> Any:
        """The next order, else the next urgent message, else the next message. Waits while there is none."""
        while True:
            # No await between this test and parking, except the checkpoint that starts over: an order is never missed.
            if self.control:
                return self.control.popleft()
            self._budget -= 1
            if self._budget < 0 or perf_counter() > self._until:
                await trio.lowlevel.checkpoint()
                self._refill()
                continue
            if self.urgent:
                self.received += 1
                return self.urgent.popleft()
            receive = self._receive
            if receive is None:
                await self._park()
                self._refill()
                continue
            try:
                item = receive.receive_nowait()
            except trio.WouldBlock:
                item = await receive.receive()
                self._refill()
                if item is _WAKE:
                    continue
            self.received += 1
            return self._unwrap(item) if type(item) is _Slot else item

    async def take_order(self) -> Any:
        """The next order of the control lane; messages wait."""
        while not self.control:
            await self._park()
        return self.control.popleft()

    def drain(self) -> Iterator[Any]:
        """Take out all that waits, the messages of waiting senders too."""
        if self.urgent:
            while self.urgent:
                yield self.urgent.popleft()
        while self._receive is not None:
            try:
                item = self._receive.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                return
            if item is not _WAKE:
                yield self._unwrap(item)

    def close(self) -> None:
        """No message can come any more; senders that wait get `trio.BrokenResourceError`."""
        self.closed = True
        if self._receive is not None:
            self._receive.close()

    # --- inside

    def _open(self) -> "trio.MemorySendChannel[Any]":
        self._send, self._receive = trio.open_memory_channel[Any](self.spec.bound)
        return self._send

    def _unwrap(self, item: object) -> object:
        if type(item) is _Slot:
            if self._slots is not None and self._slots.get(item.key) is item:
                del self._slots[item.key]
            return item.message
        return item

    def _refill(self) -> None:
        self._budget = BUDGET_MESSAGES
        self._until = perf_counter() + BUDGET_SECONDS

    def _nudge(self) -> None:
        if self._parked is not None:
            self._unpark()
        elif self._send is not None and self._send.statistics().tasks_waiting_receive:
            # A receiver that waits means an empty buffer: this is handed over and never needs a slot.
            self._send.send_nowait(_WAKE)

    async def _park(self) -> None:
        def abort(_: object) -> trio.lowlevel.Abort:
            self._parked = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._parked = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def _unpark(self) -> None:
        task, self._parked = self._parked, None
        if task is not None:
            trio.lowlevel.reschedule(task)
