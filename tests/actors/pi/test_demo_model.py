"""The demo model's place in the tree: it shows its port, and its address outlives its crashes."""

from functools import partial

import trio

from actors.pi.demo_model import DemoModel
from actors.pi.demo_server import HOST, DemoServer
from supervisor import ChildSpec, Intensity, Supervisor, open_system
from supervisor.events import ChildExited, ChildStarted
from supervisor.testing import Recorder

KEY = "a-key-for-the-test"
REQUEST = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n".encode()


class Fragile(DemoServer):
    """Crashes when it is told to."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.crash = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(super().run)
            task_status.started(self.base_url)
            await self.crash.wait()
            self.crash = trio.Event()
            raise OSError("scripted")


async def fetch(stream: trio.SocketStream) -> bytes:
    """The answer to one request, to its end."""
    answer = b""
    async with stream:
        await stream.send_all(REQUEST)
        async for chunk in stream:
            answer += chunk
    return answer


async def test_its_address_stays_true_through_a_crash() -> None:
    server = Fragile()
    server.listen()
    try:
        tree = Supervisor(ChildSpec("demo", partial(DemoModel, server)), intensity=Intensity(3, within=60.0))
        async with open_system(tree) as system:
            recorder = Recorder(system)
            port = server.port
            assert system.snapshot("/demo").doing == f"serving on port {port}"
            assert b"200" in await fetch(await trio.open_tcp_stream(HOST, port))
            server.crash.set()
            exited = await recorder.wait_for(ChildExited, "/demo")
            assert exited.reason == "OSError: scripted"
            waiting = await trio.open_tcp_stream(HOST, port)  # the kernel keeps it until somebody serves again
            assert b"200" in await fetch(waiting)
            assert len(recorder.of(ChildStarted, "/demo")) == 1
            assert server.port == port
    finally:
        server.close()
