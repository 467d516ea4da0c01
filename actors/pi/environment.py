"""Which of the service's environment variables an agent may see: an allow-list, decided without touching `os.environ`.

Called where a LaunchSpec is made. An agent runs what a model tells it to, so whatever is not named here stays outside:
above all the bot's token, the service manager's sockets and folders, and other programs' keys.
"""

from collections.abc import Mapping

# fmt: off
_NAMES = frozenset({
    "PATH", "HOME", "LANG", "LANGUAGE", "TERM", "COLORTERM", "TZ", "TMPDIR", "SHELL", "USER", "LOGNAME",
    "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_DIRS",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
    "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_SSH_COMMAND",
    "CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOROOT", "JAVA_HOME", "NVM_DIR", "PYENV_ROOT",
})
# fmt: on
_PREFIXES = ("LC_",)

_NEVER_PREFIXES = ("TELEGRAM_", "LISTEN_", "WATCHDOG_")
_NEVER_SUFFIXES = ("_TOKEN", "_KEY", "_SECRET", "_PASSWORD")
_NEVER = frozenset({"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"})


def environment(parent: Mapping[str, str], *, extra: Mapping[str, str]) -> dict[str, str]:
    """What is allowed of `parent`, with `extra` (the service's own settings for this agent) over it.

    Raises ValueError for a name in `extra` that is a key's or the service's own: keys travel as a LaunchSpec's secrets.
    """
    for name in extra:
        if _refused(name):
            raise ValueError(f"{name} must not be in an agent's plain environment; pass a key as a secret")
    return {name: value for name, value in parent.items() if _allowed(name)} | dict(extra)


def _allowed(name: str) -> bool:
    return (name in _NAMES or name.startswith(_PREFIXES)) and not _refused(name)


def _refused(name: str) -> bool:
    return name in _NEVER or name.startswith(_NEVER_PREFIXES) or name.endswith(_NEVER_SUFFIXES)
