"""Reads the configuration: file, `.env`, environment, credentials; and makes the folders it names.

The only file that opens them; the entry point calls it once, before trio runs. Order, the stronger first: environment,
`.env`, file, systemd credentials (which only fill what nothing else gave).
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from actors import validation
from actors.errors import ConfigurationError
from actors.paths import config_path, locate, private_folder, read_text, with_dotenv
from actors.settings import SECTIONS, LogLevel, PiSettings, ProjectSettings, Secret, Section, Settings

_BOT_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]+")
_TOML_LINE = re.compile(r"line (\d+)")


class _Variable(NamedTuple):
    """The key that a variable sets, and a key of the same table that it thereby puts out of force."""

    table: str
    key: str
    instead_of: str | None = None


_VARIABLES: Final = {
    "TELEGRAM_BOT_TOKEN": _Variable("telegram", "bot_token", instead_of="bot_token_file"),
    "TELEGRAM_ALLOWED_USERS": _Variable("telegram", "allowed_user_ids"),
    "WORKSPACE_DIR": _Variable("rooms", "workspace"),
    "PI_TIMEOUT": _Variable("pi", "turn_timeout"),
    "LLM_PROVIDER": _Variable("pi", "provider"),
    "LLM_API_KEY": _Variable("pi", "api_key", instead_of="api_key_file"),
    "LLM_MODEL": _Variable("pi", "model"),
    "LLM_BASE_URL": _Variable("pi", "base_url"),
    "MAX_THREADS": _Variable("rooms", "max"),
}
_SECRETS: Final = (("telegram", "bot_token", "telegram_bot_token"), ("pi", "api_key", "llm_api_key"))
"""Table, key, and the name of the systemd credential that may hold it; `<key>_file` is the key for a file."""


def load(environ: Mapping[str, str], config_file: Path | None = None) -> Settings:
    """The settings. `config_file`: one that must exist; None: the one at its usual place, if there is one.

    Secrets are read but not yet remembered: call `redaction.remember` with them before anything is logged.
    Raises ConfigurationError: one sentence that names the key, variable or file, and the mend.
    """
    file = Path(os.path.abspath(config_file or config_path(environ)))
    environ = with_dotenv(environ, file)
    tables = _read_toml(file, must_exist=config_file is not None)
    projects = _projects(tables.pop("projects", {}), file)
    sections: dict[str, Section] = {name: kind() for name, kind in SECTIONS.items()}
    for name, table in tables.items():
        if name not in SECTIONS:
            raise validation.unknown_table(name, table, file=file)
        sections[name] = validation.section(SECTIONS[name], table, file=file, name=name)
    warnings = []
    for name, key, _ in _SECRETS:
        if getattr(sections[name], key) is not None:
            warnings += _readable_by_others(file)
            if getattr(sections[name], f"{key}_file") is not None:
                raise ConfigurationError(f"{file}: [{name}] has both {key} and {key}_file; leave one of them out.")
    warnings += _readable_by_others(file.parent / ".env")
    _apply_environment(sections, environ)
    for name, key, credential in _SECRETS:
        warnings += _fill_secret(sections, name, key, environ, credential)
    paths = locate(environ, file)
    settings = Settings(
        **sections,  # type: ignore[arg-type]  # each is of the kind that SECTIONS has for its name
        projects=projects,
        paths=paths,
        log_level=_log_level(environ),
        warnings=tuple(dict.fromkeys(warnings)),
    )
    token = settings.telegram.bot_token
    if token is not None and not _BOT_TOKEN.fullmatch(token.reveal()):
        raise ConfigurationError(
            "[telegram] bot_token (or TELEGRAM_BOT_TOKEN, or its file) is no bot token: copy it from @BotFather whole,"
            " digits, colon and letters."
        )
    return replace(
        settings,
        paths=paths._replace(
            workspaces=settings.rooms.workspace or paths.workspaces, agent_dir=settings.pi.agent_dir or paths.agent_dir
        ),
    )


def make_folders(settings: Settings) -> None:
    """Make the service's own folders (0700) and the root of the workspaces; see that every project is there.

    Raises ConfigurationError that names the folder, and the key that asks for it.
    """
    paths = settings.paths
    for folder in (paths.state_dir, paths.sessions_dir, paths.runtime_dir):
        private_folder(folder)
    if settings.pi.agent_dir is None:
        private_folder(paths.agent_dir)
    else:
        _check_folder(paths.agent_dir, "[pi] agent_dir")
    with suppress(OSError):  # said below, together with all else that can be wrong with it
        paths.workspaces.mkdir(parents=True, exist_ok=True)
    _check_folder(paths.workspaces, "[rooms] workspace (or WORKSPACE_DIR)")
    for name, project in settings.projects.items():
        _check_folder(project.path, f"[projects.{name}] path")


def _check_folder(folder: Path, key: str) -> None:
    if not folder.is_dir():
        raise ConfigurationError(f"{key}: {folder} is no folder and cannot be made one; name another one.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"{key}: {folder} cannot be read and written by this user; change its owner or mode.")


def _read_toml(file: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        text = read_text(file)
    except FileNotFoundError:
        if must_exist:
            raise ConfigurationError(f"{file} does not exist; name another file, or leave the option out.") from None
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why, _, at = str(error).partition(" (at ")
        line = _TOML_LINE.match(at)
        number = line[1] if line else text.count("\n") + 1  # "at end of document"
        raise ConfigurationError(f"{file}, line {number}: not valid TOML: {why}.") from None
    except (RecursionError, ValueError):  # nested too deep; a number of thousands of digits
        raise ConfigurationError(f"{file}: not valid TOML: a value in it is beyond all measure.") from None


def _projects(tables: object, file: Path) -> dict[str, ProjectSettings]:
    if not isinstance(tables, dict):
        raise ConfigurationError(f"{file}: projects must be tables, each written as [projects.<name>].")
    return {name: validation.project(name, table, file=file) for name, table in tables.items()}


def _apply_environment(sections: dict[str, Section], environ: Mapping[str, str]) -> None:
    """Lay the variables over the file's sections."""
    changes: dict[str, dict[str, Any]] = {}
    for variable, (table, key, instead_of) in _VARIABLES.items():
        if variable not in environ:
            continue
        field = next(field for field in msgspec.structs.fields(sections[table]) if field.name == key)
        change = changes.setdefault(table, {})
        change[key] = validation.text_value(field.type, environ[variable], label=variable, folder=Path.cwd())
        if instead_of is not None:
            change[instead_of] = None
    provider = changes.get("pi", {}).get("provider")
    if provider is not None and provider != cast(PiSettings, sections["pi"]).provider:
        # The file's model and key belong to the provider that stands there: a key goes to nobody else.
        changes["pi"] = dict.fromkeys(("model", "api_key", "api_key_file", "base_url")) | changes["pi"]
    for table, change in changes.items():
        sections[table] = replace(sections[table], **change)


def _fill_secret(
    sections: dict[str, Section], table: str, key: str, environ: Mapping[str, str], credential: str
) -> list[str]:
    """Take a secret from its file, or from the service manager; returns warnings."""
    section = sections[table]
    named: Path | None = getattr(section, f"{key}_file")
    warnings = []
    if named is not None:
        secret = _read_secret(named, f"[{table}] {key}_file")
        warnings = _readable_by_others(named)
    elif getattr(section, key) is None and "CREDENTIALS_DIRECTORY" in environ:
        file = Path(environ["CREDENTIALS_DIRECTORY"]) / credential
        if not file.exists():
            return []
        secret = _read_secret(file, f"the credential {credential}")
    else:
        return []
    sections[table] = replace(section, **{key: secret})
    return warnings


def _read_secret(file: Path, label: str) -> Secret:
    try:
        text = read_text(file).strip()
    except FileNotFoundError:
        raise ConfigurationError(f"{label}: {file} does not exist.") from None
    if not text or len(text.split()) != 1:
        raise ConfigurationError(f"{label}: {file} must hold the secret and nothing else, on one line.")
    return Secret(text)


def _readable_by_others(file: Path) -> list[str]:
    try:
        mode = file.stat().st_mode
    except OSError:
        return []
    if not mode & (stat.S_IRGRP | stat.S_IROTH):
        return []
    return [f"others can read {file}, which is for secrets: chmod 600 {file}"]


def _log_level(environ: Mapping[str, str]) -> LogLevel:
    text = environ.get("LOG_LEVEL", "INFO").upper()
    level = validation.text_value(LogLevel, "WARNING" if text == "WARN" else text, label="LOG_LEVEL", folder=Path.cwd())
    return cast(LogLevel, level)
