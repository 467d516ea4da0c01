"""What stands in bubblewrap's command line, and in the environment inside: each thing that it must hide or show."""

from pathlib import Path

import pytest

from actors.pi.sandbox import LAYERS, Bubblewrap, Needs, Sandbox, describe, enclose, summary, surroundings

BWRAP = "/usr/bin/bwrap"
STATE = "/var/lib/dispatchd"
HOME = f"{STATE}/subagents/fix-it"
WORK = f"{HOME}/work"
NEEDS = Needs(
    programs=("/venv/node/bin", "/venv/pi/node_modules", "/venv/conf/host_tools.mjs"),
    cache=f"{STATE}/cache/compiled",
    agent_dir=f"{STATE}/pi",
    session=f"{STATE}/sessions/fix-it",
)
HOW = Bubblewrap(program=BWRAP)
PI = ("/venv/node/bin/node", "cli.js")


def made(*, environ: dict[str, str] | None = None, how: Bubblewrap = HOW, **more: tuple[str, ...]) -> list[str]:
    sandbox = Sandbox(temporary=f"{HOME}/tmp", bwrap=BWRAP, **more)
    return list(enclose(PI, sandbox, NEEDS, environ or {}, how, cwd=WORK))


def mounts(argv: list[str]) -> dict[str, str]:
    """How each place is mounted, in order."""
    found = {}
    words = iter(argv[argv.index(BWRAP) + 1 : argv.index("--")])
    for word in words:
        if word in ("--bind", "--ro-bind", "--ro-bind-try"):
            source, place = next(words), next(words)
            found[place] = word.removesuffix("-try") if source == place else f"{word} {source}"
        elif word in ("--tmpfs", "--proc", "--dev", "--dir", "--remount-ro"):
            found[next(words)] = word
    return found


def test_it_writes_its_own_places_and_no_other() -> None:
    argv = made(writable=("/srv/cache",), visible=("/srv/parent/.git/objects",))
    seen = mounts(argv)
    written = {place for place, how in seen.items() if how == "--bind"}
    assert written == {WORK, f"{HOME}/tmp", NEEDS.session, "/srv/cache"}
    assert seen["/srv/parent/.git/objects"] == seen["/usr"] == seen["/venv/pi/node_modules"] == "--ro-bind"
    assert seen["/"] == seen["/proc"] == "--remount-ro"
    assert argv[-4:] == [WORK, "--", *PI]


def test_the_whole_state_folder_stays_outside_and_so_does_the_etc_that_holds_secrets() -> None:
    seen = mounts(made())
    assert not {STATE, "/var", "/etc", "/home", "/root", "/run/user", "/sys"} & set(seen)
    secret = (
        "/etc/shadow",
        "/etc/ssh",
        "/etc/ssl",
        "/etc/ssl/private",
        "/etc/dispatchd",
        "/etc/npmrc",
        "/etc/pip.conf",
    )
    assert not set(secret) & set(seen)
    assert {"/etc/resolv.conf", "/etc/ssl/certs", "/etc/passwd", "/etc/alternatives"} <= set(seen)


def test_pi_gets_copies_of_its_locks_and_reads_its_settings() -> None:
    seen = mounts(made())
    places = list(seen)
    folder = NEEDS.agent_dir
    assert seen[folder] == "--tmpfs"
    assert seen[f"{folder}/settings.json"] == "--ro-bind"
    assert f"{folder}/auth.json" not in seen
    assert seen[f"{folder}/auth.lent.json"] == f"--ro-bind-try {folder}/auth.json"
    assert places.index(folder) < places.index(f"{folder}/settings.json")


def test_what_lies_deeper_is_mounted_later() -> None:
    how = Bubblewrap(program=BWRAP, hidden=("/opt/us", "/opt"))
    places = [place for place in mounts(made(how=how, visible=("/opt/us/a/objects",))) if place != "/"]
    depth = [len(Path(place).parts) for place in places if place.startswith(("/opt", STATE, "/venv"))]
    assert depth == sorted(depth)


def test_what_must_not_be_seen_is_covered_only_where_it_would_be_seen() -> None:
    hidden = ("/opt/dispatchd", "/home/ann", "/", STATE, "/optional")
    how = Bubblewrap(program=BWRAP, hidden=hidden)
    seen = mounts(made(how=how, visible=("/opt/dispatchd/objects",)))
    assert seen["/opt/dispatchd"] == "--tmpfs"
    assert seen["/opt/dispatchd/objects"] == "--ro-bind"
    assert not {"/home/ann", STATE, "/optional"} & set(seen)
    assert seen["/"] == "--remount-ro"


@pytest.mark.parametrize("inside", [WORK, f"{WORK}/a", f"{HOME}/tmp/x", f"{NEEDS.session}/y"])
def test_nothing_is_mounted_in_what_it_writes_where_a_link_of_its_own_could_lead_it_astray(inside: str) -> None:
    how = Bubblewrap(program=BWRAP, hidden=(inside,))
    for seen in (mounts(made(visible=(inside,))), mounts(made(visible=(WORK,), how=how))):
        assert seen.get(inside) in (None, "--bind")
        assert seen[WORK] == "--bind"
    assert f"{WORK}/b" not in mounts(made(writable=(f"{WORK}/b",)))


def test_it_gives_up_all_rights_and_has_its_own_processes() -> None:
    argv = made()
    assert {"--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent"} <= set(argv)
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
    assert "--unshare-net" not in argv  # or it had no model
    assert "--new-session" not in argv  # or a signal to its group did not reach it
    assert "--unshare-user" not in made(how=Bubblewrap(program=BWRAP, user=False))
    assert argv.index(BWRAP) == LAYERS + 1  # a shell waits for it


def test_what_is_a_link_into_usr_stays_one_so_that_nothing_hidden_is_seen_by_its_other_name() -> None:
    argv = made(how=Bubblewrap(program=BWRAP, links={"/lib": "usr/lib"}))
    at = argv.index("/lib")
    assert argv[at - 2 : at + 1] == ["--symlink", "usr/lib", "/lib"]
    assert argv.count("/lib") == 1


def test_certificates_that_the_environment_names_are_seen() -> None:
    seen = mounts(made(environ={"NODE_EXTRA_CA_CERTS": "/home/ann/ca.pem", "SSL_CERT_DIR": ""}))
    assert seen["/home/ann/ca.pem"] == "--ro-bind"
    assert "" not in seen


def test_the_environment_names_nothing_that_is_not_there() -> None:
    outside = {
        "PATH": "/home/ann/bin:/opt/tool/bin:/usr/bin:relative::/opt/dispatchd/bin",
        "HOME": "/home/ann",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "XDG_CACHE_HOME": "/home/ann/.cache",
        "SSH_AUTH_SOCK": "/run/user/1/ssh",
        "CARGO_HOME": "/home/ann/.cargo",
        "HTTPS_PROXY": "http://proxy:1",
    }
    how = Bubblewrap(program=BWRAP, hidden=("/opt/dispatchd",))
    inside = surroundings(outside, Sandbox(temporary="/t", bwrap=BWRAP), how)
    assert inside == {
        "PATH": "/opt/tool/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin",
        "HOME": "/t/home",
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy:1",
    }


def test_a_toolchain_in_a_home_can_be_shown_and_nothing_beside_it() -> None:
    how = Bubblewrap(program=BWRAP, visible=("/home/ann/.cargo", "/home/ann/.gone"), hidden=("/home/ann", STATE))
    seen = mounts(made(how=how))
    assert seen["/home/ann/.cargo"] == "--ro-bind"
    assert "/home/ann" not in seen
    outside = {"PATH": "/home/ann/.cargo/bin:/home/ann/bin", "CARGO_HOME": "/home/ann/.cargo", "NVM_DIR": "/home/ann/n"}
    inside = surroundings(outside, Sandbox(temporary="/t", bwrap=BWRAP), how)
    assert inside["PATH"].startswith("/home/ann/.cargo/bin:/usr/local/sbin:")
    assert inside["CARGO_HOME"] == "/home/ann/.cargo"
    assert "NVM_DIR" not in inside


def test_a_home_that_is_shown_as_a_whole_still_hides_the_service() -> None:
    how = Bubblewrap(program=BWRAP, visible=("/var/lib",), hidden=("/var/lib", STATE))
    seen = mounts(made(how=how))
    assert (seen["/var/lib"], seen[STATE], seen[WORK]) == ("--ro-bind", "--tmpfs", "--bind")
    assert list(seen).index("/var/lib") < list(seen).index(STATE) < list(seen).index(WORK)


def test_what_applies_is_said() -> None:
    closed, open_ = Bubblewrap(program=BWRAP, reason=""), Bubblewrap(reason="it is missing")
    assert "sees no home, no other room" in describe(closed)
    assert "The network is the machine's" in describe(closed)
    assert describe(open_) == (
        "Sub-agents run without a sandbox (it is missing): they can read and write all that this service can."
    )
    assert summary(closed) == "sub-agents in a sandbox (bubblewrap); not closed off: the network"
    assert summary(open_) == "sub-agents without a sandbox: it is missing"
