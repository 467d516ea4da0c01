"""bubblewrap is found, tried and believed only if it keeps its word; nothing that an agent in it began outlives it."""

import os
import shutil
from pathlib import Path

import pytest

from actors.configuration import load
from actors.errors import ConfigurationError
from actors.pi import bwrap
from actors.pi.installation import Installation, locate
from actors.pi.ladder import Rung
from actors.settings import Settings
from tests.actors.pi import hostile
from tests.actors.pi.hostile import RUNGS, agent, alive, until
from tests.actors.pi.sandboxes import in_a_sandbox

on_each_rung = pytest.mark.parametrize("rung", RUNGS)


@pytest.fixture
def parts() -> Installation:
    return locate()


def wanting(folder: Path, sandbox: str) -> Settings:
    """The settings of a service below this folder."""
    file = folder / "config/config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f'[subagents]\nsandbox = "{sandbox}"\nvisible = ["/x", "tools"]\n[projects.site]\npath = "{folder}"\n'
    )
    return load({"THREADS_DIR": str(folder), "HOME": str(folder)}, file)


def fake(folder: Path, script: str) -> dict[str, str]:
    """An environment in which this script is what is found as bwrap."""
    program = folder / "bin/bwrap"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


def passing_on(change: str = "") -> str:
    """A bwrap that closes nothing off and only runs the command."""
    return f'while [ "$1" != -- ]; do [ "$1" = --chdir ] && cd "$2"; shift; done; shift; {change} exec "$@"'


@in_a_sandbox
def test_one_that_works_is_found_and_leaves_nothing(tmp_path: Path, parts: Installation) -> None:
    (tmp_path / "trial/work").mkdir(parents=True)  # of a service that was killed in the middle of one
    found = bwrap.look(dict(os.environ), tmp_path, parts)
    assert found.program is not None
    assert Path(found.program).is_absolute()
    assert (Path(found.program).name, found.reason) == ("bwrap", "")
    assert list(tmp_path.iterdir()) == []
    for wanted in ("auto", "bwrap"):
        chosen = bwrap.choose(wanting(tmp_path, wanted), dict(os.environ), parts)
        assert chosen.program == found.program
        assert set(chosen.visible) - set(found.visible) == {"/x", str(tmp_path / "config/tools")}  # there or not
        assert all(place.startswith("/etc/") for place in found.visible)
        assert str(tmp_path) in chosen.hidden


@in_a_sandbox
def test_a_service_under_a_folder_with_programs_is_hidden_and_works(tmp_path: Path, parts: Installation) -> None:
    assert bwrap.look({}, tmp_path, parts, hidden=(str(tmp_path), "/usr/share/doc")).program is not None
    assert bwrap.look(
        {}, tmp_path, parts, hidden=("/lib/mime" if Path("/lib/mime").is_dir() else "/usr/share/doc",)
    ).program
    broken = bwrap.look({}, tmp_path, parts, hidden=("/usr/bin", "/usr/lib"))
    assert broken.program is None
    assert broken.reason.startswith("bubblewrap does not work here: ")


def test_what_is_the_services_own_or_anybodys_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    settings = wanting(tmp_path / "real", "auto")
    (tmp_path / "home").symlink_to(tmp_path / "real")
    found = bwrap.hidden(settings, str(tmp_path / "home"))
    assert set(found) == {str(tmp_path / name) for name in ("real", "home", "real/config")}  # those that are there
    assert "/nowhere" not in bwrap.hidden(settings, "/nowhere")


def test_none_is_not_looked_for(tmp_path: Path, parts: Installation) -> None:
    found = bwrap.choose(wanting(tmp_path, "none"), fake(tmp_path, f"touch {tmp_path}/ran"), parts)
    assert (found.program, found.reason) == (None, '[subagents] sandbox is "none"')
    assert not (tmp_path / "ran").exists()


def test_a_missing_one_is_said_and_refused_only_if_it_must_be_there(
    tmp_path: Path, parts: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bwrap, "_PLACES", str(tmp_path))
    found = bwrap.choose(wanting(tmp_path, "auto"), {"PATH": str(tmp_path)}, parts)
    assert (found.program, found.reason) == (None, "bubblewrap (the program bwrap) is not installed")
    with pytest.raises(ConfigurationError) as refused:
        bwrap.choose(wanting(tmp_path, "bwrap"), {}, parts)
    assert str(refused.value) == (
        '[subagents] sandbox is "bwrap", and bubblewrap (the program bwrap) is not installed; install the package '
        'bubblewrap, or allow user namespaces, or set sandbox = "none" or "auto".'
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'bwrap: No permissions to create a new namespace' >&2; exit 1",
            "No permissions to create a new namespace",
        ),
        ("exit 7", "it ended with code 7"),
        ("exit 0", "it ended with code 0"),
        (passing_on(), "it hides nothing"),
        (passing_on('rmdir "$6"; '), "processes of the machine are seen in it"),
    ],
)
def test_one_that_does_not_keep_its_word_is_not_used(
    tmp_path: Path, parts: Installation, script: str, reason: str
) -> None:
    found = bwrap.look(fake(tmp_path, script), tmp_path, parts)
    assert (found.program, found.reason) == (None, f"bubblewrap does not work here: {reason}")


def test_one_that_hangs_is_given_up(tmp_path: Path, parts: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "TRIAL_DEADLINE", 0.1)
    found = bwrap.look(fake(tmp_path, "exec sleep 600"), tmp_path, parts)
    assert found.reason == "bubblewrap does not work here: it has not ended after 0.1 s"
    assert alive(str(tmp_path / "bin/bwrap")) == []


def test_one_that_works_only_without_a_user_namespace_is_used_so(tmp_path: Path, parts: Installation) -> None:
    inside = 'case " $* " in *" --unshare-user "*) echo "no user namespaces"; exit 1;; esac; '
    environ = fake(tmp_path, inside + f'exec {shutil.which("bwrap") or "/usr/bin/bwrap"} "$@"')
    found = bwrap.look(environ, tmp_path, parts)
    if found.program is None:
        pytest.skip(f"none works here without a user namespace: {found.reason}")
    assert not found.user


def test_no_folder_for_the_trial_is_a_reason(tmp_path: Path, parts: Installation) -> None:
    (tmp_path / "file").touch()
    reason = bwrap.look(fake(tmp_path, "exit 0"), tmp_path / "file", parts).reason
    assert reason.endswith(f"a folder for its trial cannot be made in {tmp_path}/file (Not a directory)")


@in_a_sandbox
@on_each_rung
@pytest.mark.parametrize("program", [hostile.EVERY_WAY, hostile.CLEARED_AND_CUT_LOOSE, hostile.DEAF])
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_nothing_outlives_a_sandboxed_agent(tmp_path: Path, rung: Rung, program: str, how: str) -> None:
    with agent(tmp_path, rung, program, sandboxed=True) as bad:
        until(bad.token, 5 if program == hostile.EVERY_WAY else 1)
        assert bad.pid in alive(bad.program)  # the agent itself, and not the way into its sandbox
        assert bad.told(how) == "killed by SIGKILL"
        assert alive(bad.token) == []


@in_a_sandbox
@on_each_rung
@pytest.mark.parametrize("program", [hostile.EVERY_WAY, hostile.CLEARED_AND_CUT_LOOSE])
def test_a_killed_service_takes_a_sandboxed_agent_with_it(tmp_path: Path, rung: Rung, program: str) -> None:
    with agent(tmp_path, rung, program, sandboxed=True) as bad:
        bad.kill_service()
        until(bad.token, 0)
        until(bad.program, 0)


@in_a_sandbox
@on_each_rung
def test_a_storm_of_forks_is_over_with_its_sandbox(tmp_path: Path, rung: Rung) -> None:
    with agent(tmp_path, rung, hostile.FORK_STORM, sandboxed=True) as bad:
        until(bad.token, 300)
        bad.told("kill")
        assert alive(bad.token) == []
