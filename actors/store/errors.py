"""What the store answers when it cannot do as asked, and what it dies of.

`StoreUnavailable`, `UnknownRoom` and `Conflict` are replies: the store lives on. `StoreUnopened`, `StoreCorrupt` and
`StoreTooNew` end it: nothing that it could do next would be right. apsw's own errors never leave this folder.
"""

from enum import Enum

from actors.errors import Unavailable, Unfit


class StoreError(Exception):
    """The root of everything the store raises on purpose."""


class Trouble(Enum):
    """What is wrong with the database's file, or its disk: a clause for people, and when it is over."""

    BUSY = ("another program is using the database", "that has ended")
    FULL = ("the disk of the service is full", "there is space")
    READ_ONLY = ("the disk of the service is read-only", "it can be written again")
    FAILING = ("the disk of the service is failing", "it works again")

    @property
    def clause(self) -> str:
        """What is wrong."""
        return self.value[0]

    @property
    def until(self) -> str:
        """What must come about."""
        return self.value[1]


class StoreUnavailable(StoreError, Unavailable):
    """The disk is full, read-only, busy or failing. Nothing was changed; the same request may succeed later.

    `reason`: what SQLite said. `trouble`: what that means.
    """

    def __init__(self, reason: str, trouble: Trouble = Trouble.FAILING) -> None:
        super().__init__(f"the database cannot be written now ({reason}): free its disk or make it writable")
        self.reason = reason
        self.trouble = trouble
        if trouble is not Trouble.BUSY:
            self.plight, self.until = trouble.clause, trouble.until


class UnknownRoom(StoreError, Unfit):
    """There is no room of that name.

    `known`: the names there are, or a part of them; empty where they were not looked up.
    """

    def __init__(self, slug: str, known: tuple[str, ...] = ()) -> None:
        mend = f"; there are: {', '.join(known)}" if known else ""
        super().__init__(f"there is no room called {slug!r}{mend}")
        self.slug = slug
        self.known = known


class Conflict(StoreError, Unfit):
    """The request does not fit the rows as they stand: a mistake of the caller's. Nothing was changed.

    `request`: its type's name. `reason`: what does not fit.
    """

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(f"{request} was not done: {reason}")
        self.request = request
        self.reason = reason


class StoreCorrupt(StoreError):
    """The file is damaged, or is no database."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be used as the database ({reason}): move it away or restore a copy")
        self.path = path
        self.reason = reason


class StoreUnopened(StoreError):
    """The file cannot be opened or created. `trouble`: what that means, if it is the disk's fault."""

    def __init__(self, path: str, reason: str, trouble: Trouble | None = None) -> None:
        super().__init__(f"{path} cannot be opened ({reason}): check that its folder exists and is writable")
        self.path = path
        self.reason = reason
        self.trouble = trouble


class StoreTooNew(StoreError):
    """The database was written by a newer dispatchd.

    `found`: the version of its schema. `known`: the newest that this program knows.
    """

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema version {found} and this dispatchd knows up to {known}: update dispatchd, or put back "
            "the copy that was made beside it before the update"
        )
        self.path = path
        self.found = found
        self.known = known
