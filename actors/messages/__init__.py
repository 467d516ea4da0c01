"""The shared tongue: every record and message that crosses from one folder to another.

Folders meet only here. `records` and `subagents` have the data, the others what is asked and told: of the `store`
(`accepting`, `working`, `delegating`, `delivering`, `operating`), in `rooms` (router, conversation, agent) and of the
`outbox`. Requests to the store are idempotent by the key they carry: callers repeat them freely.
"""

from actors.messages.accepting import *  # noqa: F403
from actors.messages.delegating import *  # noqa: F403
from actors.messages.delivering import *  # noqa: F403
from actors.messages.operating import *  # noqa: F403
from actors.messages.outbox import *  # noqa: F403
from actors.messages.records import *  # noqa: F403
from actors.messages.rooms import *  # noqa: F403
from actors.messages.store import *  # noqa: F403
from actors.messages.subagents import *  # noqa: F403
from actors.messages.working import *  # noqa: F403
