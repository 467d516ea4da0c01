"""The embedded demo model as an actor: lends its server a place in the tree.

Nobody speaks to it but pi, over HTTP on loopback. The listening socket outlives the actor, so the address in pi's files
stays true and a request that comes while it restarts waits in the kernel.
"""

from typing import Never

from actors.pi.demo_server import DemoServer
from supervisor import Actor, Description, Mailbox, Overflow


class DemoModel(Actor[Never]):
    """Serves the demo model."""

    mailbox = Mailbox(1, Overflow.REJECT)

    def __init__(self, server: DemoServer) -> None:
        self._server = server

    async def started(self) -> None:
        self.context.start_soon(self._server.run)

    def describe(self) -> Description:
        return Description(doing=f"serving on port {self._server.port}")
