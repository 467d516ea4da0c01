"""The bus that events go out on. Emitting never waits and costs next to nothing while nobody listens.

A subscriber that is too slow loses the oldest events and is told how many. The last dead letters and failures are kept
in small rings, for people who look afterwards.
"""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

import trio

from supervisor.events import ChildExited, DeadLetter, End, Event, EventsLost

KEPT_DEAD_LETTERS: Final = 200
KEPT_FAILURES: Final = 100


class Subscription:
    """A bounded view of the events from now on: an async iterator; `close` ends it."""

    def __init__(self, bound: int, forget: "Callable[[Subscription], None]") -> None:
        self._forget = forget
        self._events: deque[Event] = deque(maxlen=bound)
        self._lost = 0
        self._news = trio.Event()
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._news = trio.Event()
            await self._news.wait()
        if self._lost:
            lost, self._lost = self._lost, 0
            return EventsLost(path="/", at=time.time(), count=lost)
        return self._events.popleft()

    def offer(self, event: Event) -> None:
        """Take an event; the oldest goes when there is no room."""
        self._lost += len(self._events) == self._events.maxlen
        self._events.append(event)
        self._news.set()

    def close(self) -> None:
        """No more events."""
        self._closed = True
        self._forget(self)
        self._news.set()


class Telemetry:
    """One system's events. `listeners` are called at once, in order, and must not raise or block."""

    def __init__(self) -> None:
        self.dead_letters: deque[DeadLetter] = deque(maxlen=KEPT_DEAD_LETTERS)
        self.failures: deque[ChildExited] = deque(maxlen=KEPT_FAILURES)
        self.listeners: list[Callable[[Event], None]] = []
        self._subscriptions: list[Subscription] = []

    @property
    def heard(self) -> bool:
        """Whether anybody listens; what is not kept either need not be made when nobody does."""
        return bool(self.listeners or self._subscriptions)

    def emit(self, event: Event) -> None:
        """Say what happened."""
        if isinstance(event, DeadLetter):
            self.dead_letters.append(event)
        elif isinstance(event, ChildExited) and event.end is End.FAILED:
            self.failures.append(event)
        for listener in self.listeners:
            listener(event)
        for subscription in self._subscriptions:
            subscription.offer(event)

    def subscribe(self, bound: int = 256) -> Subscription:
        """Hear the events from now on, at most `bound` of them waiting. To be closed when it is no longer read.

        Raises `ValueError` for a bound below 1.
        """
        if bound < 1:
            raise ValueError(f"a subscription holds at least 1 event, not {bound}")
        subscription = Subscription(bound, self.forget)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """The subscriber is gone. Harmless when it was forgotten before."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
