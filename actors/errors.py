"""What can go wrong with the service as a whole, before or beside its actors.

A folder's own errors stand in the folder's `errors`. This file imports nothing: the light command line uses it too.
"""


class ConfigurationError(Exception):
    """The service cannot start as it is configured. One sentence that names the key, variable or path, and the mend.

    The entry point prints it and exits with code 2.
    """


class Unfit(Exception):
    """A reply: it cannot be done as it is asked, neither now nor later; nothing was changed."""


class Unavailable(Exception):
    """A reply: it cannot be done now, nothing was changed, and the same request may succeed later.

    `plight`: what keeps it from being done, as a clause for people; empty if that is likely to be over in a moment.
    `until`: what must come about first, as a clause.
    """

    plight: str = ""
    until: str = ""
