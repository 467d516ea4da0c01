"""From settings to what pi is told, without pi; `tests/contracts/test_pi_providers.py` has the real one hear it."""

import json
from pathlib import Path

import pytest

from actors.errors import ConfigurationError
from actors.pi.answers import Model
from actors.pi.providers import (
    COMPATIBLE,
    KEY_VARIABLE,
    Provider,
    agent_files,
    choose,
    compatible,
    model_check,
    pi_argv,
    pi_environment,
)
from actors.settings import PiSettings, Secret

KEY = Secret("sesame-street")
URL = "http://127.0.0.1:1234/v1"


def test_nothing_configured_is_the_demo() -> None:
    assert choose(PiSettings()) is None
    assert choose(PiSettings(turn_timeout=5, thinking="high")) is None


@pytest.mark.parametrize(
    ("name", "provider", "variable", "model"),
    [
        ("zai", "zai", "ZAI_API_KEY", "glm-5.3"),
        ("moonshot", "moonshotai", "MOONSHOT_API_KEY", "kimi-k2.6"),
        ("moonshotai", "moonshotai", "MOONSHOT_API_KEY", "kimi-k2.6"),
        ("anthropic", "anthropic", "ANTHROPIC_API_KEY", "claude-opus-4-8"),
        ("google", "google", "GEMINI_API_KEY", "gemini-3.1-pro-preview"),
    ],
)
def test_a_provider_with_a_key_has_its_default_model(name: str, provider: str, variable: str, model: str) -> None:
    expected = Provider(id=provider, model=model, secrets={variable: KEY})
    assert choose(PiSettings(provider=name, api_key=KEY)) == expected


def test_model_and_thinking_are_taken_as_configured() -> None:
    chosen = choose(PiSettings(provider="zai", api_key=KEY, model="glm-4.7", thinking="low"))
    assert chosen == Provider(id="zai", model="glm-4.7", thinking="low", secrets={"ZAI_API_KEY": KEY})


def test_an_endpoint_of_its_own_gets_an_entry_that_holds_no_key() -> None:
    chosen = choose(PiSettings(base_url=URL + "/", model="qwen", api_key=KEY, thinking="off"))
    assert chosen is not None
    assert (chosen.id, chosen.model, chosen.thinking) == (COMPATIBLE, "qwen", "off")
    assert chosen.secrets == {KEY_VARIABLE: KEY}
    entry = json.loads(agent_files(chosen, trust_projects=False)["models.json"])["providers"][COMPATIBLE]
    assert (entry["baseUrl"], entry["apiKey"], entry["models"]) == (URL, f"${KEY_VARIABLE}", [{"id": "qwen"}])


@pytest.mark.parametrize(("name", "provider"), [("openai", COMPATIBLE), ("ollama", "ollama")])
def test_an_endpoint_may_be_called_openai_or_by_a_name_of_ones_own(name: str, provider: str) -> None:
    assert choose(PiSettings(provider=name, base_url=URL, model="qwen")) == compatible(provider, URL, "qwen")


def test_an_endpoint_that_needs_no_key_gets_a_dummy_for_pi() -> None:
    assert compatible("demo", URL, "demo").secrets == {KEY_VARIABLE: Secret("none")}


def test_a_known_provider_at_another_address_keeps_its_catalogue() -> None:
    chosen = choose(PiSettings(provider="zai", base_url=URL, api_key=KEY))
    assert chosen == Provider(
        id="zai", model="glm-5.3", secrets={"ZAI_API_KEY": KEY}, providers={"zai": {"baseUrl": URL}}
    )


def test_a_login_is_as_good_as_a_key() -> None:
    pi = PiSettings(agent_dir=Path("/pi"))
    assert choose(pi, logins={"openai-codex"}) == Provider(id="openai-codex", model="gpt-5.5")
    named = PiSettings(agent_dir=Path("/pi"), provider="ollama", model="qwen")
    assert choose(named, logins={"openai-codex", "ollama"}) == Provider(id="ollama", model="qwen")


REFUSED = [
    (PiSettings(provider="zai"), (), "[pi] provider zai has no key; set api_key or api_key_file under [pi], or"),
    (PiSettings(provider="zai", base_url=URL), (), "provider zai has no key"),
    (PiSettings(provider="zia", api_key=KEY), (), "pi has no provider zia that works with a key alone; near it: "),
    (PiSettings(provider="openai-codex"), (), "openai-codex takes a login of pi's; set agent_dir"),
    (PiSettings(provider="openai-codex", api_key=KEY), (), "openai-codex takes a login of pi's; leave the key out"),
    (PiSettings(api_key=KEY), (), "[pi] api_key (or LLM_API_KEY) is set and no provider"),
    (PiSettings(model="glm-5.3"), (), "[pi] model (or LLM_MODEL) is set and no provider"),
    (PiSettings(base_url=URL), (), "[pi] model (or LLM_MODEL) is needed with base_url"),
    (PiSettings(base_url=URL, provider="anthropic", api_key=KEY), (), "pi speaks otherwise to anthropic"),
    (PiSettings(base_url=URL, agent_dir=Path("/pi")), (), "exclude each other; name the endpoint in /pi/models.json"),
    (PiSettings(agent_dir=Path("/pi")), (), "[pi] agent_dir: /pi has no login"),
    (PiSettings(agent_dir=Path("/pi")), ("b", "a"), "pi has logins for a, b; name one"),
    (PiSettings(provider="ollama"), ("ollama",), "there is no default for the provider ollama"),
]


@pytest.mark.parametrize(("pi", "logins", "sentence"), REFUSED)
def test_what_cannot_work_is_refused_before_pi_starts(pi: PiSettings, logins: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        choose(pi, logins=logins)
    assert sentence in str(caught.value)
    assert KEY.reveal() not in str(caught.value)


def test_an_unknown_provider_is_refused_with_near_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"near it: zai\b"):
        choose(PiSettings(provider="zia", api_key=KEY))


def test_a_model_is_checked_against_what_pi_has() -> None:
    available = [Model(id=name, provider="zai") for name in ("glm-4.7", "glm-5.3", "glm-5.3-flash")]
    available.append(Model(id="kimi-k3", provider="moonshotai"))
    assert model_check(available, "zai", "glm-5.3") is None
    assert model_check(available, "zai", "kimi-k3") == (
        "[pi] model (or LLM_MODEL): zai has no model kimi-k3; there are: glm-4.7, glm-5.3, glm-5.3-flash."
    )
    assert "near it: kimi-k3." in (model_check(available, "moonshotai", "kimi-k33") or "")
    assert "no usable model of groq" in (model_check(available, "groq", "glm-5.3") or "")


def test_a_long_list_of_models_is_cut_short() -> None:
    many = [Model(id=f"model-{number:03}", provider="p") for number in range(300)]
    sentence = model_check(many, "p", "zzz") or ""
    assert sentence.endswith("model-006, model-007 ….")


def test_the_files_of_the_services_own_pi_folder() -> None:
    files = agent_files(Provider(id="zai", model="glm-5.3", secrets={"ZAI_API_KEY": KEY}), trust_projects=False)
    assert {name: json.loads(text) for name, text in files.items()} == {
        "settings.json": {
            "retry": {"enabled": True, "maxRetries": 3, "baseDelayMs": 2000},
            "httpIdleTimeoutMs": 120_000,
            "steeringMode": "all",
            "enableInstallTelemetry": False,
            "defaultProjectTrust": "never",
        },
        "models.json": {"providers": {}},
    }
    slow = agent_files(Provider(id="zai", model="glm-5.3"), trust_projects=False, model_timeout=1800.5)
    assert json.loads(slow["settings.json"])["httpIdleTimeoutMs"] == 1_800_500
    trusting = agent_files(Provider(id="zai", model="glm-5.3"), trust_projects=True)
    assert json.loads(trusting["settings.json"])["defaultProjectTrust"] == "always"


def test_the_command_line_of_a_rooms_pi() -> None:
    def argv(*, thinking: bool, trust: bool) -> tuple[str, ...]:
        return pi_argv(
            node=Path("/n"),
            cli=Path("/cli.js"),
            provider=Provider(id="zai", model="glm-5.3", thinking="high" if thinking else None, secrets={"K": KEY}),
            session_id="s-1",
            session_dir=Path("/s"),
            extension=Path("/x.ts"),
            trust_projects=trust,
        )

    start = ("/n", "/cli.js", "--mode", "rpc", "--no-themes", "--provider", "zai", "--model", "glm-5.3")
    end = ("--session-id", "s-1", "--session-dir", "/s", "--extension", "/x.ts")
    assert argv(thinking=False, trust=False) == (*start, *end, "--no-approve")
    assert argv(thinking=True, trust=True) == (*start, "--thinking", "high", *end, "--approve")


def test_pi_is_told_its_folder_and_to_stay_at_home() -> None:
    plain = {
        "PI_CODING_AGENT_DIR": "/pi",
        "PI_OFFLINE": "1",
        "PI_SKIP_VERSION_CHECK": "1",
        "PI_TELEMETRY": "0",
    }
    assert pi_environment(Path("/pi"), Provider(id="openai-codex", model="gpt-5.5")) == plain
    keyed = Provider(id="zai", model="glm-5.3", secrets={"ZAI_API_KEY": KEY})
    assert pi_environment(Path("/pi"), keyed) == plain | {"DISPATCHD_HOST_LOGIN": '{"zai": "ZAI_API_KEY"}'}
