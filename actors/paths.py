"""Where the service keeps its things, and where its control socket is: decided from the environment alone.

The service and the command line both ask here, so they agree. Importing this stays cheap (standard library only;
platformdirs is loaded when no variable answers), because `actorctl` has to answer at once.
"""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from actors import dotenv
from actors.errors import ConfigurationError

APP: Final = "dispatchd"
MAX_SOCKET_PATH: Final = 107
"""Bytes of a Unix socket's path that Linux takes (`sun_path` less its final zero)."""
MAX_FILE_BYTES: Final = 1 << 20
"""A configuration file above this is refused: it is some other file."""

VARIABLES: Final = frozenset(
    {
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_ALLOWED_USERS",
        "WORKSPACE_DIR",
        "THREADS_DIR",
        "LOG_LEVEL",
        "PI_TIMEOUT",
        "LLM_PROVIDER",
        "LLM_API_KEY",
        "LLM_MODEL",
        "LLM_BASE_URL",
        "MAX_THREADS",
    }
)
"""The variables of ours that a `.env` may give; its other lines are not for us."""


class Paths(NamedTuple):
    """Absolute paths. `agent_dir`: pi's folder. `workspaces`: where unbound rooms get theirs.

    `locate` gives these two as they are by default; in `Settings.paths` they are as configured.
    """

    config_file: Path
    state_dir: Path
    database: Path
    sessions_dir: Path
    agent_dir: Path
    workspaces: Path
    runtime_dir: Path
    socket: Path


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the configuration file is, or would be."""
    given = _directory(environ, "CONFIGURATION_DIRECTORY")
    return (given or _user_folder(environ, "XDG_CONFIG_HOME")) / "config.toml"


def with_dotenv(environ: Mapping[str, str], config_file: Path) -> dict[str, str]:
    """`environ` over what the `.env` beside `config_file` says. An empty variable counts as not set.

    Raises ConfigurationError for a `.env` that cannot be read or is malformed.
    """
    file = config_file.parent / ".env"
    try:
        variables = dotenv.parse(read_text(file))
    except FileNotFoundError:
        variables = {}
    except dotenv.MalformedLine as error:
        raise ConfigurationError(f"{file}, {error}.") from None
    ours = {name: value for name, value in variables.items() if name in VARIABLES and value}
    return ours | {name: value for name, value in environ.items() if value}


def locate(environ: Mapping[str, str], config_file: Path | None = None) -> Paths:
    """All paths, from an environment that `with_dotenv` has completed.

    Raises ConfigurationError if $DISPATCHD_SOCKET is longer than the system allows.
    """
    state = _state_dir(environ)
    socket = _socket(environ, state)
    return Paths(
        config_file=config_file or config_path(environ),
        state_dir=state,
        database=state / "state.db",
        sessions_dir=state / "sessions",
        agent_dir=state / "pi",
        workspaces=state / "workspaces",
        runtime_dir=socket.parent,
        socket=socket,
    )


def socket_path(environ: Mapping[str, str], config_file: Path | None = None) -> Path:
    """The control socket of the service that was started with the same environment. For the command line.

    Raises ConfigurationError as `locate` and `with_dotenv` do.
    """
    if _runtime_dir(environ) is None and "DISPATCHD_SOCKET" not in environ:
        # Only here does the socket depend on the state folder, which the `.env` may name.
        environ = with_dotenv(environ, config_file or config_path(environ))
        return _socket(environ, _state_dir(environ))
    return _socket(environ, None)


def private_folder(folder: Path) -> None:
    """Make `folder`, or see that it is ours, and keep everybody else out of it (mode 0700).

    Raises ConfigurationError if it cannot be made or written, is a file or someone else's, or is for all users.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        # A link may be our own or the administrator's (systemd makes some); another user's, in /tmp, leads astray.
        ours = found.st_uid == os.geteuid() and folder.lstat().st_uid in (os.geteuid(), 0)
        if not stat.S_ISDIR(found.st_mode) or not ours:
            raise ConfigurationError(f"{folder} is not a folder of this user: remove it, or choose another place.")
        if found.st_mode & stat.S_ISVTX:  # such as /tmp, which root would else close to everybody
            raise ConfigurationError(f"{folder} is shared with other users: choose a folder for this service alone.")
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be used: {error.strerror}.") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"{folder} cannot be written by this user: change its mode, or choose another place.")


def read_text(file: Path) -> str:
    """A configuration file's text: regular, at most 1 MiB, UTF-8.

    Raises FileNotFoundError if there is none, and ConfigurationError, which names the file and the line.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe would block, a folder has no text
            raise ConfigurationError(f"{file} is not a regular file.")
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{file} is larger than 1 MiB: this is not a configuration file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{file}, line {line}: not UTF-8 text; save the file as UTF-8.") from None


def _state_dir(environ: Mapping[str, str]) -> Path:
    return (
        _given(environ, "THREADS_DIR")
        or _directory(environ, "STATE_DIRECTORY")
        or _user_folder(environ, "XDG_STATE_HOME")
    )


def _runtime_dir(environ: Mapping[str, str]) -> Path | None:
    """The place for sockets if the system has one: the unit's, the session's, or the user's even without a session."""
    given = _directory(environ, "RUNTIME_DIRECTORY")
    if given is not None:
        return given
    session = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(session):
        return Path(session) / APP
    user = Path(f"/run/user/{os.geteuid()}")
    return user / APP if user.is_dir() else None


def _socket(environ: Mapping[str, str], state_dir: Path | None) -> Path:
    given = _given(environ, "DISPATCHD_SOCKET")
    if given is not None:
        if _too_long(given):
            raise ConfigurationError(
                f"DISPATCHD_SOCKET is {len(os.fsencode(given))} bytes long and the system takes {MAX_SOCKET_PATH}:"
                " choose a shorter path."
            )
        return given
    folder = _runtime_dir(environ)
    if folder is None:
        assert state_dir is not None
        folder = state_dir / "run"
    socket = folder / "ctl.sock"
    if not _too_long(socket):
        return socket
    # A deep home must not keep the service from starting. Not $TMPDIR: the command line may have another one.
    # `private_folder` sees to it that nobody else's folder is used.
    import hashlib  # noqa: PLC0415 - rarely needed, and actorctl waits for it

    name = hashlib.sha256(os.fsencode(socket)).hexdigest()[:12]
    return Path(f"/tmp/{APP}-{os.geteuid()}-{name}/ctl.sock")  # noqa: S108


def _too_long(path: Path) -> bool:
    return len(os.fsencode(path)) > MAX_SOCKET_PATH


def _given(environ: Mapping[str, str], variable: str) -> Path | None:
    """A path that a person wrote: `~` is their home, and a relative one starts where they are."""
    text = environ.get(variable)
    return Path(os.path.abspath(os.path.expanduser(text))) if text else None


def _directory(environ: Mapping[str, str], variable: str) -> Path | None:
    """A folder that systemd prepared (systemd.exec(5)): with several, the first one is ours."""
    first = environ.get(variable, "").split(":")[0]
    return Path(first) if first else None


def _user_folder(environ: Mapping[str, str], variable: str) -> Path:
    """Our folder under an XDG base folder, or where this system keeps such things."""
    base = environ.get(variable, "")
    if os.path.isabs(base):  # the XDG specification: a relative one is to be ignored
        return Path(base) / APP
    import platformdirs  # noqa: PLC0415 - 20 ms that actorctl rarely needs

    if variable == "XDG_CONFIG_HOME":
        return platformdirs.user_config_path(APP, appauthor=False)
    return platformdirs.user_state_path(APP, appauthor=False)
