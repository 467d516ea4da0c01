"""What of the machine a sandboxed agent sees, as a command line of bubblewrap and an environment. Pure.

Asked by `installation` for a sub-agent's start; whether bubblewrap works here is found out by `bwrap`. The sandbox has
its own processes, devices and /tmp, and no more of the disk than stands here. The network is the machine's, loopback
and abstract Unix sockets included: the model is reached by it. Written against bubblewrap 0.8.0 (and 0.5.0 or newer).
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath as Path
from typing import Final

import msgspec


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """Where one agent works, as absolute paths. `temporary`: its TMPDIR, and in a sandbox also the parent of its HOME.

    `bwrap`: the program that closes it in; None: it is not. `writable`: what it may write beside its workspace, its
    session and `temporary`; `visible`: what it may read beside what pi and programs need.
    """

    temporary: str
    bwrap: str | None = None
    writable: tuple[str, ...] = ()
    visible: tuple[str, ...] = ()


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What pi needs in there beside what all programs do, as absolute paths.

    `programs`: files and folders that it reads, `cache`: one that may be missing. `agent_dir`: its configuration, of
    which it gets `AGENT_FILES`; `session`: where it writes.
    """

    programs: tuple[str, ...]
    cache: str
    agent_dir: str
    session: str


class Bubblewrap(msgspec.Struct, frozen=True, kw_only=True):
    """bubblewrap as it works here. `program`: its absolute path; None: it is not used, and `reason` says why.

    `user`: the sandbox has a user namespace; only a bubblewrap of root or with the setuid bit works without. `links`:
    those of `SYSTEM` that are links into /usr, and where they lead. `visible`: what every sandbox shows beside what it
    must; `hidden`: folders that must not be seen should they lie in a visible one.
    """

    program: str | None = None
    user: bool = True
    links: dict[str, str] = {}
    visible: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    reason: str = "nobody looked for bubblewrap"


LAYERS: Final = 3
"""How many processes stand between what is started and the agent: a shell, bubblewrap, and the sandbox's first."""
SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store")
"""Where programs are."""
# fmt: off
_ETC: Final = (
    "alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version",
    "fonts", "gai.conf", "group", "host.conf", "hosts", "inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "localtime", "locale.alias", "magic", "mime.types", "networks", "nsswitch.conf", "os-release", "passwd", "perl",
    "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "pki/tls/openssl.cnf", "profile", "profile.d", "protocols",
    "python3", "redhat-release", "resolv.conf", "rpc", "services", "sgml", "shells", "ssl/cert.pem", "ssl/certs",
    "ssl/openssl.cnf", "terminfo", "timezone", "xml",
)
AGENT_FILES: Final = (
    "AGENTS.md", "APPEND_SYSTEM.md", "SYSTEM.md", "extensions", "git", "mcp.json", "models-store.json",
    "models.json", "npm", "prompts", "settings.json", "skills",
)
# fmt: on
"""What pi reads in its folder, all but its logins. Beside them it makes lock files, without which it reads nothing."""
_LOGINS: Final = "auth.json"
_LENT: Final = "auth.lent.json"
"""What they are called inside, where `conf/pi/lent_login.mjs` finds them."""
_CERTIFICATES: Final = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")
_NOT_INSIDE: Final = ("HOME", "PATH", "TMPDIR", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND")
"""Variables that have another value inside, or name what is not there."""
_TOOLCHAINS: Final = ("CARGO_HOME", "RUSTUP_HOME", "GOPATH", "NVM_DIR", "PYENV_ROOT")
"""Variables that are kept only if what they name is visible."""
_PATH: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_OWN: Final = (
    # Of a service that is root, what it writes in /proc/sys would be the machine's: root needs no capability for that.
    *(("--proc", "/proc"), ("--remount-ro", "/proc"), ("--symlink", "/proc/self/mounts", "/etc/mtab")),
    *(("--dev", "/dev"), ("--dir", "/run")),
    *(("--perms", "1777", "--tmpfs", "/tmp"), ("--perms", "1777", "--tmpfs", "/var/tmp")),  # noqa: S108
)
"""What is the sandbox's own."""

# bubblewrap dies of a SIGTERM that is meant for pi, and with it all inside; so it ignores it, and Node, which restores
# what signals do when it starts, does not. The shell waits for it, because the kernel takes the end of the thread that
# started a program for the end of its parent, and our threads come and go. Its own words are none of the agent's.
_OUTSIDE: Final = 'trap "" TERM INT; exec 3>&2 2>/dev/null; "$@" 2>&3 3>&-; exit $?'


def enclose(
    argv: tuple[str, ...], sandbox: Sandbox, needs: Needs, environ: Mapping[str, str], how: Bubblewrap, *, cwd: str
) -> tuple[str, ...]:
    """What is run in the place of `argv`, so that it sees no more than it may. `cwd`: the agent's workspace.

    `environ`: the service's environment, as far as agents may see it. `sandbox.bwrap` is given.
    """
    assert sandbox.bwrap is not None
    spaces = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    return (
        *("/bin/sh", "-c", _OUTSIDE, "sh", sandbox.bwrap),
        *(("--unshare-user",) if how.user else ()),
        *(*spaces, "--die-with-parent", "--cap-drop", "ALL"),
        *(word for words in _mounts(sandbox, needs, environ, how, cwd) for word in words),
        *("--remount-ro", "/", "--chdir", cwd, "--"),
        *argv,
    )


def surroundings(environ: Mapping[str, str], sandbox: Sandbox, how: Bubblewrap) -> dict[str, str]:
    """The environment inside: what names a place outside is left out, HOME is a folder of its own.

    `environ`: as for `enclose`. PATH keeps those of its folders that are visible.
    """
    shown = (*SYSTEM, *how.visible, *sandbox.visible, *sandbox.writable)

    def seen(path: str) -> bool:
        return _depth(path, shown) >= max(_depth(path, how.hidden), 1)

    kept = {
        name: value
        for name, value in environ.items()
        if name not in _NOT_INSIDE and not name.startswith("XDG_") and (name not in _TOOLCHAINS or seen(value))
    }
    path = dict.fromkeys((*filter(seen, environ.get("PATH", "").split(":")), *_PATH))
    return kept | {"HOME": f"{sandbox.temporary}/home", "PATH": ":".join(path)}


def describe(found: Bubblewrap) -> str:
    """What sub-agents see here, in a few sentences for people."""
    if found.program is None:
        return f"Sub-agents run without a sandbox ({found.reason}): they can read and write all that this service can."
    return (
        "Each sub-agent runs in a sandbox of bubblewrap: it writes its own workspace, reads the system's programs, and "
        "sees no home, no other room and none of the service's files. The network is the machine's, with all that "
        "listens on it, and what pi is logged in with can be read."
    )


def summary(found: Bubblewrap) -> str:
    """The same in a short line."""
    if found.program is None:
        return f"sub-agents without a sandbox: {found.reason}"
    return "sub-agents in a sandbox (bubblewrap); not closed off: the network"


def _mounts(
    sandbox: Sandbox, needs: Needs, environ: Mapping[str, str], how: Bubblewrap, cwd: str
) -> list[tuple[str, ...]]:
    """What is mounted, each above what it lies in. What is named later stands for what is named before."""
    mounts: dict[Path, tuple[str, ...]] = {}
    for path in (*SYSTEM, *(f"/etc/{name}" for name in _ETC), *filter(None, map(environ.get, _CERTIFICATES))):
        mounts[Path(path)] = (
            ("--symlink", how.links[path], path) if path in how.links else ("--ro-bind-try", path, path)
        )
    for path in how.hidden:
        if _depth(path, (*SYSTEM, *how.visible, *needs.programs, *sandbox.visible)):
            mounts[Path(path)] = ("--tmpfs", path)
    for path in how.visible:
        mounts[Path(path)] = ("--ro-bind-try", path, path)
    for path in (*needs.programs, *sandbox.visible):
        mounts[Path(path)] = ("--ro-bind", path, path)
    mounts[Path(needs.cache)] = ("--ro-bind-try", needs.cache, needs.cache)
    mounts[Path(needs.agent_dir)] = ("--tmpfs", needs.agent_dir)
    for name in AGENT_FILES:
        path = f"{needs.agent_dir}/{name}"
        mounts[Path(path)] = ("--ro-bind-try", path, path)
    lent = f"{needs.agent_dir}/{_LENT}"
    mounts[Path(lent)] = ("--ro-bind-try", f"{needs.agent_dir}/{_LOGINS}", lent)
    written = [cwd, needs.session, sandbox.temporary, *sandbox.writable]
    # Nothing is mounted in what it may write, where a link of its own could lead that anywhere.
    mounts = {path: words for path, words in mounts.items() if not _depth(str(path), written)}
    for path in written:
        if not _depth(path, [other for other in written if Path(other) != Path(path)]):
            mounts[Path(path)] = ("--bind", path, path)
    return [*_OWN, *(mounts[path] for path in sorted(mounts, key=lambda path: len(path.parts)))]


def _depth(path: str, folders: Iterable[str]) -> int:
    """How many parts the deepest of these folders has that a path is or lies in; 0: it lies in none of them."""
    if not Path(path).is_absolute():
        return 0
    return max((len(Path(folder).parts) for folder in folders if Path(path).is_relative_to(folder)), default=0)
