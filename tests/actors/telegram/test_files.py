"""The fetching of files against the strict fake: whole, under a free name, or not at all and then with a reason."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.errors import Unavailable
from actors.messages import Attachment, Fetch, Fetched
from actors.settings import Secret, TelegramSettings
from actors.telegram import files
from actors.telegram.contents import LARGEST
from actors.telegram.files import AT_A_TIME, Files
from supervisor import AskTimeout, ChildSpec, Ref, State, Supervisor, System, open_system
from tests.fakes.telegram import TOKEN, UNLIMITED, FakeTelegram, Fault


class Fetching:
    """The fake, the actor and a workspace."""

    def __init__(self, fake: FakeTelegram, system: System, workspace: Path) -> None:
        self.fake = fake
        self.system = system
        self.workspace = workspace
        self.files: Ref[Fetch] = system.ref("/files", Files)

    def request(self, content: bytes = b"notes", name: str = "notes.txt") -> Fetch:
        file = self.fake.world.keep_file(name, "text/plain", content)
        attachment = Attachment(handle=file.id, name=name, mime="text/plain", size=len(content))
        return Fetch(attachment=attachment, workspace=str(self.workspace))

    async def fetch(self, request: Fetch, timeout: float = 200) -> Fetched:
        return await self.files.ask(request, timeout=timeout)

    def lying(self) -> dict[str, bytes]:
        """What is in the folder, hidden files too."""
        folder = self.workspace / "uploads"
        return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


@asynccontextmanager
async def fetching(workspace: Path, *, token: str = TOKEN, within: float = 60.0) -> AsyncIterator[Fetching]:
    async with FakeTelegram.serve(limits=UNLIMITED) as fake:
        settings = TelegramSettings(bot_token=Secret(token), base_url=fake.base_url)
        spec = ChildSpec("files", partial(Files, settings, within=within))
        async with open_system(Supervisor(spec)) as system:
            here = Fetching(fake, system, workspace)
            yield here
            assert system.snapshot("/files").restarts == 0


async def test_a_file_comes_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    async with fetching(tmp_path / "room") as here:
        assert await here.fetch(here.request(content)) == Fetched(path="uploads/notes.txt")
        assert here.lying() == {"notes.txt": content}


async def test_nothing_is_overwritten(tmp_path: Path) -> None:
    async with fetching(tmp_path) as here:
        paths: list[str | None] = []

        async def fetch(request: Fetch) -> None:
            paths.append((await here.fetch(request)).path)

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(fetch, here.request(b"%d" % number))
        assert sorted(map(str, paths)) == [
            f"uploads/{name}"
            for name in ("notes-2.txt", "notes-3.txt", "notes-4.txt", "notes-5.txt", "notes-6.txt", "notes.txt")
        ]
        assert sorted(here.lying().values()) == [b"%d" % number for number in range(6)]


async def test_a_file_that_telegram_does_not_know(tmp_path: Path) -> None:
    async with fetching(tmp_path) as here:
        unknown = Attachment(handle="gone", name="notes.txt", mime="", size=0)
        fetched = await here.fetch(Fetch(attachment=unknown, workspace=str(tmp_path)))
        assert fetched.path is None
        assert fetched.error.startswith("notes.txt could not be fetched: ")
        assert len(here.fake.called("getFile")) == 1, "what is refused is not asked for again"


async def test_a_file_that_is_larger_than_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fetching(tmp_path) as here:
        monkeypatch.setattr(files, "LARGEST", 1000)
        fetched = await here.fetch(here.request(b"x" * 1001))
        assert fetched == Fetched(path=None, error="notes.txt could not be fetched: it is larger than 20 MB.")
        assert here.lying() == {}
        assert (await here.fetch(here.request(b"x" * 1000))).path == "uploads/notes.txt"


async def test_a_file_that_telegram_finds_too_large(tmp_path: Path) -> None:
    async with fetching(tmp_path) as here:
        fetched = await here.fetch(here.request(b"x" * (LARGEST + 1)))
        assert "too big" in fetched.error.lower()


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("getFile", Fault.DROP_BEFORE),
        ("getFile", Fault.SERVER_ERROR),
        ("getFile", Fault.FLOOD),
        ("download", Fault.DROP_BEFORE),
        ("download", Fault.DROP_AFTER),
        ("download", Fault.SERVER_ERROR),
    ],
)
async def test_trouble_on_the_way_is_outlasted(
    loopback_clock: MockClock, tmp_path: Path, method: str, fault: Fault
) -> None:
    async with fetching(tmp_path) as here:
        here.fake.set_fault(method, fault, times=2, seconds=3)
        assert await here.fetch(here.request()) == Fetched(path="uploads/notes.txt")
        assert here.lying() == {"notes.txt": b"notes"}


@pytest.mark.parametrize("method", ["getFile", "download"])
async def test_what_hangs_is_given_up(loopback_clock: MockClock, tmp_path: Path, method: str) -> None:
    async with fetching(tmp_path) as here:
        here.fake.set_fault(method, Fault.HANG_BEFORE, times=9, seconds=1000)
        fetched = await here.fetch(here.request())
        assert fetched.path is None
        assert here.lying() == {}
        assert trio.current_time() < 70


@pytest.mark.parametrize(("size", "comes"), [(20_000_000, True), (0, True), (1_000_000, False)])
async def test_a_large_file_has_the_time_that_it_takes_on_a_slow_line(
    loopback_clock: MockClock, tmp_path: Path, size: int, *, comes: bool
) -> None:
    async with fetching(tmp_path) as here:
        here.fake.set_fault("download", Fault.SERVER_ERROR, times=7)  # with the pauses between them two minutes
        request = here.request()
        request = msgspec.structs.replace(request, attachment=msgspec.structs.replace(request.attachment, size=size))
        assert ((await here.fetch(request, timeout=300)).path is not None) == comes


async def test_no_address_and_no_token_is_told(
    loopback_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with fetching(tmp_path, within=5) as here:
        for method, fault in (("download", Fault.DROP_AFTER), ("getFile", Fault.DROP_BEFORE)):
            here.fake.set_fault(method, fault, times=9)
            error = (await here.fetch(here.request())).error
            assert error
            assert "token" not in error
            assert "http://" not in error
            here.fake.clear_faults()
    assert TOKEN not in caplog.text


async def test_a_refused_token_is_the_gateways_trouble(tmp_path: Path) -> None:
    async with fetching(tmp_path, token="4242:wrong") as here:
        assert "nauthorized" in (await here.fetch(here.request())).error


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "uploads").symlink_to(tmp_path.parent)
    async with fetching(tmp_path) as here:
        assert "cannot be saved" in (await here.fetch(here.request())).error


async def test_a_name_that_leads_away(tmp_path: Path) -> None:
    async with fetching(tmp_path / "room") as here:
        assert "its name" in (await here.fetch(here.request(name="../notes.txt"))).error
        assert not here.workspace.exists()


async def test_what_nobody_waits_for_leaves_nothing(loopback_clock: MockClock, tmp_path: Path) -> None:
    async with fetching(tmp_path) as here:
        here.fake.set_fault("download", Fault.SLOW, seconds=10)
        with pytest.raises(AskTimeout):
            await here.files.ask(here.request(), timeout=5)
        await trio.sleep(20)
        assert here.lying() == {}


async def test_a_stop_leaves_nothing(tmp_path: Path) -> None:
    async with fetching(tmp_path) as here, trio.open_nursery() as nursery:
        here.fake.set_fault("download", Fault.SLOW, seconds=1000)
        nursery.start_soon(here.fetch, here.request())
        await here.fake.wait_for(lambda: here.fake.called("download"))
        assert "fetching 1" in (here.system.snapshot("/files").doing or "")
        nursery.cancel_scope.cancel()
        await here.system.terminate_child("/files")
        assert here.system.snapshot("/files").state is State.STOPPED
        assert here.lying() == {}


async def test_few_at_a_time_and_not_too_many_in_line(
    loopback_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WAITING", 3)
    async with fetching(tmp_path) as here:
        here.fake.set_fault("download", Fault.SLOW, times=99, seconds=10)
        refused: list[Unavailable] = []

        async def fetch() -> None:
            try:
                await here.fetch(here.request())
            except Unavailable as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            for _ in range(AT_A_TIME):
                nursery.start_soon(fetch)
            await trio.sleep(1)
            for _ in range(4):
                nursery.start_soon(fetch)
            await trio.sleep(1)
            assert len(here.fake.called("download")) == AT_A_TIME
        assert len(refused) == 1
        assert len(here.lying()) == AT_A_TIME + 3
