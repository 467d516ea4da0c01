"""The entry point: `dispatchd run` and the verbs that need no running service.

Reads the configuration, makes the parts, runs the tree until a signal or a front end ends it. What is wrong before the
start, and stays so until somebody mends it, is one sentence and exit code 2. What may be over by itself, such as a full
disk, is one sentence and exit code 1, as is a tree that gives up: then systemd starts us anew.
"""

import argparse
import fcntl
import getpass
import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from errno import EADDRINUSE, EAGAIN, EBUSY, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC, EROFS, ESTALE, ETIMEDOUT
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, TextIO

import msgspec
import trio
from trio_util import move_on_when

from actors import log
from actors.configuration import load, make_folders
from actors.console import screen
from actors.console.console import Console, Interrupted
from actors.console.lines import Lines
from actors.errors import ConfigurationError
from actors.pi import bwrap, claim, own_folder
from actors.pi.cages import Cages
from actors.pi.demo_server import DemoServer
from actors.pi.demo_wire import MODEL_ID, PROVIDER_ID
from actors.pi.environment import environment
from actors.pi.installation import AgentPlan, Installation, locate
from actors.pi.ladder import Limits
from actors.pi.logins import logins
from actors.pi.probe import probe
from actors.pi.providers import Provider, agent_files, choose, compatible
from actors.pi.sandbox import Bubblewrap, describe
from actors.pi.stalls import patience
from actors.redaction import redact, remember
from actors.settings import Secret, Settings, in_bytes
from actors.store.errors import StoreError, StoreUnopened
from actors.store.export import export
from actors.tree import ConsoleParts, Parts, tree
from supervisor import (
    ActorError,
    ChildExited,
    DeadLetter,
    End,
    Event,
    GaveUp,
    IntensityExceeded,
    StartFailed,
    Supervisor,
    System,
    open_system,
)

LAST_DEADLINE: Final = 30.0
"""Seconds from the wish to stop until the process ends, whatever still runs: a task that spins cannot be stopped."""
LOG_BYTES: Final = 5 * 1024 * 1024
SWITCH_EVERY: Final = 0.0005
"""Seconds after which a busy trio thread lets SQLite's go on, instead of Python's five thousandths: each statement asks
for it anew, so that under load a commit would wait longer for its turns than for the disk."""
PASSING: Final = frozenset(
    {ENOSPC, EDQUOT, EROFS, EIO, ESTALE, ETIMEDOUT, EMFILE, ENFILE, ENOMEM, EAGAIN, EBUSY, EADDRINUSE}
)
"""Errors of the machine, and not of what is configured."""
UNUSED_TABLES: Final = ("dispatch", "schedule", "budget", "retention", "metrics")
"""What the configuration knows and this version does not use yet."""

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except (ConfigurationError, StoreError) as error:
        return _complain(str(error), 1 if _passes(error) else 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dispatchd", description="Connects Telegram to coding agents.")
    parser.add_argument("--version", action="version", version=f"dispatchd {version('dispatchd')}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration file (default: the user's)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run the service until it is told to stop")
    run.add_argument("--console", action="store_true", help="talk to one room here, in the terminal")
    run.set_defaults(run=_run)
    exporting = verbs.add_parser("export", help="print a room's conversation as JSON")
    exporting.add_argument("room", help="the room's slug")
    exporting.set_defaults(run=_export)
    return parser


def _export(options: argparse.Namespace) -> int:
    settings = load(os.environ, options.config)
    text = msgspec.json.format(msgspec.json.encode(export(settings.paths.database, options.room))) + b"\n"
    try:
        while text:
            text = text[os.write(1, text) :]
    except BrokenPipeError:
        pass  # whoever reads it has had enough
    except OSError as error:
        return _complain(f"the output cannot be written: {error.strerror}.", 1)
    return 0


def _run(options: argparse.Namespace) -> int:
    _open_standard_streams(console=options.console)
    claim.set_number_aside()  # while the low ones are free
    settings = load(os.environ, options.config)
    for secret in (settings.telegram.bot_token, settings.pi.api_key):
        if secret is not None:
            remember(secret.reveal())
    if settings.telegram.bot_token is None and not options.console:
        raise ConfigurationError(
            "There is nobody to talk to: set bot_token under [telegram], or TELEGRAM_BOT_TOKEN; "
            "or try `dispatchd run --console`."
        )
    installation = locate()
    make_folders(settings)
    settings = _without_links(settings)
    try:
        lock = _lock(settings.paths.state_dir)
        log.setup(settings.log_level, _log_stream(settings, console=options.console))
        bubblewrap = bwrap.choose(settings, environment(os.environ, extra={}), installation)
        demo, provider = _provider(settings)
    except OSError as error:
        what = error.filename or "The port of the embedded demo model"
        raise ConfigurationError(f"{what} cannot be used: {error.strerror}.") from None
    for warning in (*settings.warnings, *_unused(settings)):
        _log.warning("%s", warning)
    cages = Cages.open(settings.paths.state_dir, probe())
    _log.info("%s", cages.describe())
    lacking = bubblewrap.program is None and settings.subagents.sandbox != "none"
    _log.log(logging.WARNING if lacking else logging.INFO, "%s", describe(bubblewrap))
    try:
        parts = _parts(settings, installation, demo, provider, cages, bubblewrap, console=options.console)
        cages.complain(parts.plan.limits)
        _log.info(
            "dispatchd %s: pi %s with %s/%s%s, state in %s",
            version("dispatchd"),
            installation.version,
            provider.id,
            provider.model,
            "" if demo is None else " (the embedded demo, because no provider is configured)",
            settings.paths.state_dir,
        )
        return trio.run(_serve, parts)
    finally:
        if demo is not None:
            demo.close()
        cages.close()
        lock.close()  # last: whoever has it next ends what our agents left


def _open_standard_streams(*, console: bool) -> None:
    """See that 0, 1 and 2 are somebody's: the next file that is opened would else become our input or output."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest free number: this one
            if fd == 1 and console:
                raise ConfigurationError(
                    "The standard output is closed, and the console has nowhere to answer."
                ) from None


def _unused(settings: Settings) -> list[str]:
    """What is configured and has no effect, yet or at all: nobody shall wonder why."""
    plain = Settings(paths=settings.paths)
    unused = [name for name in UNUSED_TABLES if getattr(settings, name) != getattr(plain, name)]
    found = [f"[{name}] has no effect in this version." for name in unused]
    telegram = settings.telegram
    if telegram.bot_token is not None and not telegram.allowed_user_ids and not telegram.pairing:
        found.append(
            "Nobody may speak to the bot but those who were approved before: set allowed_user_ids under [telegram], or "
            "TELEGRAM_ALLOWED_USERS."
        )
    return found


def _without_links(settings: Settings) -> Settings:
    """The same with real paths: pi writes down its folder as it is, and in a sandbox there are no links on the way."""
    paths = settings.paths
    real = {name: getattr(paths, name).resolve() for name in ("state_dir", "sessions_dir", "agent_dir")}
    return msgspec.structs.replace(settings, paths=paths._replace(**real))


def _provider(settings: Settings) -> tuple[DemoServer | None, Provider]:
    """The provider as configured, or the embedded demo in its place; writes what our own pi folder is to hold."""
    ours = settings.pi.agent_dir is None
    folder = settings.paths.agent_dir
    provider, demo = choose(settings.pi, logins=logins(folder, ours=ours)), None
    if provider is None:
        key = secrets.token_urlsafe(32)
        remember(key)
        demo = DemoServer(key)
        demo.listen()
        provider = compatible(PROVIDER_ID, demo.base_url, MODEL_ID, Secret(key))
    if ours:
        files = agent_files(
            provider, trust_projects=settings.pi.trust_projects, model_timeout=settings.pi.model_timeout
        )
        own_folder.write(folder, files)
    return demo, provider


def _parts(
    settings: Settings,
    installation: Installation,
    demo: DemoServer | None,
    provider: Provider,
    cages: Cages,
    bubblewrap: Bubblewrap,
    *,
    console: bool,
) -> Parts:
    paths = settings.paths
    plan = AgentPlan(
        installation=installation,
        provider=provider,
        sessions_dir=paths.sessions_dir,
        agent_dir=paths.agent_dir,
        cache_dir=paths.state_dir / "cache",
        trust_projects=settings.pi.trust_projects,
        environ=environment(os.environ, extra={}),
        cages=cages,
        limits=Limits(
            memory=None if settings.pi.memory_max is None else in_bytes(settings.pi.memory_max),
            processes=settings.pi.processes_max,
        ),
        patience=patience(settings.pi.model_timeout),
        bubblewrap=bubblewrap,
    )
    banner = screen.banner(
        version=version("dispatchd"),
        pi_version=installation.version,
        provider=provider.id,
        model=provider.model,
        demo=demo is not None,
        telegram=settings.telegram.bot_token is not None,
        workspace=str(paths.workspaces / "console"),
    )
    return Parts(
        settings=settings,
        plan=plan,
        demo=demo,
        console=ConsoleParts(lines=Lines(0), name=_user(), banner=banner) if console else None,
        finished=trio.Event(),
        interrupt=[],
    )


async def _serve(parts: Parts) -> int:
    failure: Exception | None = None
    sys.setswitchinterval(SWITCH_EVERY)
    # Before the tree, so that no KeyboardInterrupt lands in an actor, and a start that hangs can be ended too.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_heed, signals, parts)
                async with (
                    move_on_when(_until_finished, parts.finished),
                    open_system(partial(_plant, parts), name="dispatchd") as system,
                ):
                    await system.wait_over()
                    _set_last_deadline()  # it gave up: a task that shields itself must not keep the process either
                nursery.cancel_scope.cancel()
        except* (StartFailed, IntensityExceeded) as group:
            failure = _innermost(group)
    if failure is None:
        return 0
    lasting = isinstance(failure, StartFailed) and not _passes(failure)
    return _complain(redact(str(failure)), 2 if lasting else 1)


def _passes(error: BaseException | None) -> bool:
    """Whether this start failed for something that may be over at the next one."""
    match error:
        case None:
            return False
        case OSError(errno=number) if number in PASSING:
            return True
        case StoreUnopened(trouble=trouble) if trouble is not None:
            return True
        case StartFailed(reason=reason):
            return _passes(reason)
        case _:
            return _passes(error.__cause__ or error.__context__)


def _innermost(error: Exception) -> Exception:
    """What went wrong: each nursery on the way out has wrapped it once more."""
    return _innermost(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


async def _until_finished(finished: trio.Event) -> None:
    await finished.wait()
    _set_last_deadline()


def _plant(parts: Parts, system: System) -> Supervisor:
    system.telemetry.listeners.append(_note)
    parts.interrupt.append(partial(_interrupt, system))
    return tree(parts, system)


def _interrupt(system: System) -> bool:
    """Tell the console of a Ctrl-C; False if there is none that could stop a turn."""
    try:
        system.ref("/service/console/reader", Console).tell_nowait(Interrupted())
    except ActorError:
        return False
    return True


async def _heed(signals: AsyncIterator[int], parts: Parts) -> None:
    """Turn signals into what people mean by them."""
    async for number in signals:
        if number == signal.SIGINT and parts.console is not None and any(tell() for tell in parts.interrupt):
            continue
        parts.finished.set()


def _note(event: Event) -> None:
    """Log what happens in the tree."""
    match event:
        case ChildExited(end=End.FAILED):
            _log.error("%s failed: %s", event.path, event.reason, extra={"trace": event.trace})
        case GaveUp():
            _log.error("%s gave up: %s", event.path, event.reason)
        case DeadLetter():
            _log.info("%s: a message was not handled: %s, %s", event.path, event.message, event.reason)
        case _:
            _log.debug("%s", event)


def _set_last_deadline() -> None:
    timer = threading.Timer(LAST_DEADLINE, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


def _lock(state_dir: Path) -> TextIO:
    """One service per state folder; the lock goes with the process, however it ends."""
    file = (state_dir / "lock").open("a", encoding="utf-8")
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    file.close()
    raise ConfigurationError(
        f"Another dispatchd uses {state_dir}: stop that one, or set THREADS_DIR to another folder."
    )


def _log_stream(settings: Settings, *, console: bool) -> TextIO | None:
    """In the console the log goes to a file, because the screen belongs to the conversation."""
    if not console:
        return None
    file = settings.paths.state_dir / "dispatchd.log"
    if file.exists() and file.stat().st_size > LOG_BYTES:
        file.replace(file.with_suffix(".log.1"))
    return file.open("a", encoding="utf-8", buffering=1)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "you"


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"dispatchd: {sentence}\n")
    return code
