"""Which model pi is to talk to, and how it is told: the settings in, pi's arguments, files and secrets out.

Asked by `tree` and by whoever makes an agent. Pure. Keys go to pi by environment only, never by argument or file; our
extension takes them out of it before any tool runs.
Written against pi 0.87.1: docs/cli.md, settings.md, models.md.
"""

import difflib
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import msgspec

from actors.errors import ConfigurationError
from actors.pi.answers import Model
from actors.pi.catalogue import ALIASES, KNOWN
from actors.settings import PiSettings, Secret, Thinking

KEY_VARIABLE: Final = "DISPATCHD_LLM_KEY"
"""Where a provider that is not in pi's catalogue finds its key."""
LOGIN_VARIABLE: Final = "DISPATCHD_HOST_LOGIN"
"""Where our extension reads which variable has the key of which provider, to take it out of pi's environment."""
COMPATIBLE: Final = "compatible"
"""pi's id for an endpoint that was given no provider's name."""
_NAMES_SHOWN: Final = 8


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider and model as pi is to be told of them.

    `secrets`: by the name of the environment variable in which pi looks; keys of this provider. `providers`: what is to
    stand under that word in the `models.json` of the service's own pi folder.
    """

    id: str
    model: str
    thinking: Thinking | None = None
    secrets: dict[str, Secret] = {}
    providers: dict[str, object] = {}


def choose(pi: PiSettings, *, logins: Collection[str] = ()) -> Provider | None:
    """The provider that is configured; None if nothing is, so that the embedded demo stands in.

    `logins`: the providers that the pi folder in use can already talk to. Raises ConfigurationError for a provider that
    pi does not know or that has no key, for a missing model, and for keys that contradict each other.
    """
    name = ALIASES.get(pi.provider, pi.provider) if pi.provider else None
    if pi.base_url is not None:
        return _at_endpoint(pi, name, pi.base_url)
    if name is None:
        name = _only_login(pi, logins)
        if name is None:
            return None
    known = KNOWN.get(name)
    if known is None and name not in logins:
        raise ConfigurationError(
            f"[pi] provider (or LLM_PROVIDER): pi has no provider {name} that works with a key alone;"
            f" {_near(name, KNOWN)}, or set base_url, or agent_dir with a login for it."
        )
    secrets = {}
    if pi.api_key is not None:
        if known is None or known.variable is None:
            raise ConfigurationError(f"[pi] api_key (or LLM_API_KEY): {name} takes a login of pi's; leave the key out.")
        secrets[known.variable] = pi.api_key
    elif name not in logins:
        raise _no_key(name, takes_key=known is None or known.variable is not None)
    model = pi.model or (known.model if known else None)
    if model is None:
        raise ConfigurationError(f"[pi] model (or LLM_MODEL) is needed: there is no default for the provider {name}.")
    return Provider(id=name, model=model, thinking=pi.thinking, secrets=secrets)


def compatible(name: str, base_url: str, model: str, key: Secret | None = None) -> Provider:
    """An OpenAI-compatible endpoint as a provider of its own, such as the demo model. `key`: None if it needs none.

    `base_url`: what stands before `/chat/completions`.
    """
    entry = {
        "baseUrl": base_url.rstrip("/"),
        "api": "openai-completions",
        "apiKey": f"${KEY_VARIABLE}",
        # What every such endpoint understands, instead of what only OpenAI's own does.
        "compat": {"supportsDeveloperRole": False, "supportsReasoningEffort": False, "maxTokensField": "max_tokens"},
        "models": [{"id": model}],
    }
    # pi takes a model without a key for unusable.
    return Provider(id=name, model=model, secrets={KEY_VARIABLE: key or Secret("none")}, providers={name: entry})


def model_check(available: Iterable[Model], provider: str, model: str) -> str | None:
    """None if pi has this model; else a sentence that names near ones. pi itself would take any id and only warn.

    `available`: pi's answer to `get_available_models`.
    """
    names = [each.id for each in available if each.provider == provider]
    if model in names:
        return None
    if not names:
        return f"[pi] provider: pi has no usable model of {provider}; check its key, or log in with pi again."
    return f"[pi] model (or LLM_MODEL): {provider} has no model {model}; {_near(model, names)}."


def agent_files(
    provider: Provider, *, trust_projects: bool, model_timeout: float = PiSettings().model_timeout
) -> dict[str, str]:
    """The files of the service's own pi folder, by name; to be written (0600) before pi starts, over what is there.

    `model_timeout`: seconds in which a provider must say something.
    Never for an `agent_dir` of the user's: that one stays as it is. No file holds a key.
    """
    settings = {
        "retry": {"enabled": True, "maxRetries": 3, "baseDelayMs": 2000},
        # For the head of an answer and between any two pieces of it, so a long answer is no matter. A provider that is
        # dead is known, and said, after the first of four tries; the last has failed after 4 x 120 + 2 + 4 + 8 s, which
        # is a bit more than 8 minutes, instead of the 20 that pi's own 300 s come to.
        "httpIdleTimeoutMs": round(model_timeout * 1000),
        "steeringMode": "all",  # who writes three short messages wants one answer
        "enableInstallTelemetry": False,
        "defaultProjectTrust": "always" if trust_projects else "never",
    }
    models = {"providers": provider.providers}
    return {
        name: json.dumps(content, indent=2) + "\n"
        for name, content in (("settings.json", settings), ("models.json", models))
    }


def pi_environment(agent_dir: Path, provider: Provider | None = None) -> dict[str, str]:
    """What pi is told by environment beside the secrets: its folder, and to call nobody but the model.

    `provider`: whose key our extension is to take out of there; None for a pi without our extension.
    """
    login = {} if provider is None or not provider.secrets else {provider.id: next(iter(provider.secrets))}
    return ({LOGIN_VARIABLE: json.dumps(login)} if login else {}) | {
        "PI_CODING_AGENT_DIR": str(agent_dir),
        "PI_OFFLINE": "1",
        "PI_SKIP_VERSION_CHECK": "1",
        "PI_TELEMETRY": "0",
    }


def pi_argv(
    *,
    node: Path,
    cli: Path,
    provider: Provider,
    session_id: str,
    session_dir: Path,
    extension: Path,
    trust_projects: bool,
) -> tuple[str, ...]:
    """The command line of a room's pi: pi as its users know it, with the service's extension beside theirs.

    AGENTS.md, skills and prompt templates load; what a project brings in `.pi` only with `trust_projects`.
    `session_id`: letters, digits, `.`, `_` and `-`; opened, or begun if there is none of it for this folder.
    """
    return (
        *(str(node), str(cli), "--mode", "rpc", "--no-themes"),
        *("--provider", provider.id, "--model", provider.model),
        *(("--thinking", provider.thinking) if provider.thinking else ()),
        *("--session-id", session_id, "--session-dir", str(session_dir)),
        *("--extension", str(extension)),
        "--approve" if trust_projects else "--no-approve",
    )


def _at_endpoint(pi: PiSettings, name: str | None, base_url: str) -> Provider:
    if pi.agent_dir is not None:
        raise ConfigurationError(
            f"[pi] base_url and agent_dir exclude each other; name the endpoint in {pi.agent_dir / 'models.json'}."
        )
    known = KNOWN.get(name) if name else None
    if name is not None and known is not None and known.chat and known.variable is not None:
        # pi's own provider at another address: its catalogue, with prices and context sizes, stays.
        if pi.api_key is None:
            raise _no_key(name, takes_key=True)
        return Provider(
            id=name,
            model=pi.model or known.model,
            thinking=pi.thinking,
            secrets={known.variable: pi.api_key},
            providers={name: {"baseUrl": base_url.rstrip("/")}},
        )
    if known is not None and name != "openai":  # so people name any endpoint that is compatible with it
        raise ConfigurationError(
            f"[pi] base_url (or LLM_BASE_URL) is for OpenAI-compatible endpoints, and pi speaks otherwise to {name};"
            " leave one of provider and base_url out."
        )
    if pi.model is None:
        raise ConfigurationError(f"[pi] model (or LLM_MODEL) is needed with base_url: say which model {base_url} has.")
    endpoint = compatible(COMPATIBLE if name is None or known else name, base_url, pi.model, pi.api_key)
    return msgspec.structs.replace(endpoint, thinking=pi.thinking)


def _only_login(pi: PiSettings, logins: Collection[str]) -> str | None:
    """The provider to use when none is named; None: nothing is configured at all."""
    if pi.api_key is not None:
        raise ConfigurationError(
            "[pi] api_key (or LLM_API_KEY) is set and no provider: set provider under [pi], or LLM_PROVIDER."
        )
    if len(logins) == 1:
        return next(iter(logins))
    if logins:
        raise ConfigurationError(
            f"[pi] provider (or LLM_PROVIDER) is needed: pi has logins for {', '.join(sorted(logins))}; name one."
        )
    if pi.agent_dir is not None:
        raise ConfigurationError(f"[pi] agent_dir: {pi.agent_dir} has no login; log in with pi there, or leave it out.")
    if pi.model is not None:
        raise ConfigurationError(
            "[pi] model (or LLM_MODEL) is set and no provider: set provider under [pi], or LLM_PROVIDER."
        )
    return None


def _no_key(name: str, *, takes_key: bool) -> ConfigurationError:
    if not takes_key:
        return ConfigurationError(
            f"[pi] provider: {name} takes a login of pi's; set agent_dir to a folder that has it."
        )
    return ConfigurationError(
        f"[pi] provider {name} has no key; set api_key or api_key_file under [pi], or the variable LLM_API_KEY."
    )


def _near(word: str, names: Iterable[str]) -> str:
    known = sorted(names)
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if near:
        return f"near it: {', '.join(near)}"
    return f"there are: {', '.join(known[:_NAMES_SHOWN])}" + (" …" if len(known) > _NAMES_SHOWN else "")
