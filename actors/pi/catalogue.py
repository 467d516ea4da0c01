"""The providers that pi knows by one API key: the key's variable and the model to use when none is configured.

Read by `providers`. Taken from pi 0.87.1 (docs/providers.md; the models are its own defaults) and compared with the
installed pi by a test. What needs more than a key (cloud accounts) is left to a login in a pi folder of the user's.
"""

from typing import Final, NamedTuple


class Known(NamedTuple):
    """A provider of pi's catalogue. `variable`: where pi finds its key; None: it takes a login only.

    `chat`: it speaks OpenAI's chat completions, so that another endpoint may take its place.
    """

    variable: str | None
    model: str
    chat: bool = False


ALIASES: Final = {"moonshot": "moonshotai", "gemini": "google", "kimi": "kimi-coding"}
"""What people also call a provider, and pi's id for it."""

KNOWN: Final = {
    "anthropic": Known("ANTHROPIC_API_KEY", "claude-opus-4-8"),
    "ant-ling": Known("ANT_LING_API_KEY", "Ring-2.6-1T", chat=True),
    "baseten": Known("BASETEN_API_KEY", "zai-org/GLM-5.2", chat=True),
    "cerebras": Known("CEREBRAS_API_KEY", "gpt-oss-120b", chat=True),
    "deepseek": Known("DEEPSEEK_API_KEY", "deepseek-v4-pro", chat=True),
    "fireworks": Known("FIREWORKS_API_KEY", "accounts/fireworks/models/kimi-k2p6"),
    "github-copilot": Known("COPILOT_GITHUB_TOKEN", "gpt-5.4"),
    "google": Known("GEMINI_API_KEY", "gemini-3.1-pro-preview"),
    "groq": Known("GROQ_API_KEY", "openai/gpt-oss-120b", chat=True),
    "huggingface": Known("HF_TOKEN", "moonshotai/Kimi-K2.6", chat=True),
    "kimi-coding": Known("KIMI_API_KEY", "kimi-for-coding"),
    "meta": Known("META_API_KEY", "muse-spark-1.3"),
    "minimax": Known("MINIMAX_API_KEY", "MiniMax-M2.7"),
    "minimax-cn": Known("MINIMAX_CN_API_KEY", "MiniMax-M2.7"),
    "mistral": Known("MISTRAL_API_KEY", "devstral-medium-latest"),
    "moonshotai": Known("MOONSHOT_API_KEY", "kimi-k2.6", chat=True),
    "moonshotai-cn": Known("MOONSHOT_API_KEY", "kimi-k2.6", chat=True),
    "nvidia": Known("NVIDIA_API_KEY", "nvidia/nemotron-3-super-120b-a12b", chat=True),
    "openai": Known("OPENAI_API_KEY", "gpt-5.5"),
    "openai-codex": Known(None, "gpt-5.5"),
    "opencode": Known("OPENCODE_API_KEY", "kimi-k2.6"),
    "opencode-go": Known("OPENCODE_API_KEY", "kimi-k2.6"),
    "openrouter": Known("OPENROUTER_API_KEY", "moonshotai/kimi-k2.6"),
    "qwen-token-plan": Known("QWEN_TOKEN_PLAN_API_KEY", "qwen3.7-max", chat=True),
    "qwen-token-plan-cn": Known("QWEN_TOKEN_PLAN_CN_API_KEY", "qwen3.7-max", chat=True),
    "qwen-token-plan-individual": Known("QWEN_TOKEN_PLAN_API_KEY", "qwen3.8-max", chat=True),
    "together": Known("TOGETHER_API_KEY", "moonshotai/Kimi-K2.6", chat=True),
    "vercel-ai-gateway": Known("AI_GATEWAY_API_KEY", "zai/glm-5.1"),
    "xai": Known("XAI_API_KEY", "grok-4.7"),
    "xiaomi": Known("XIAOMI_API_KEY", "mimo-v2.5-pro", chat=True),
    "xiaomi-token-plan-ams": Known("XIAOMI_TOKEN_PLAN_AMS_API_KEY", "mimo-v2.5-pro", chat=True),
    "xiaomi-token-plan-cn": Known("XIAOMI_TOKEN_PLAN_CN_API_KEY", "mimo-v2.5-pro", chat=True),
    "xiaomi-token-plan-sgp": Known("XIAOMI_TOKEN_PLAN_SGP_API_KEY", "mimo-v2.5-pro", chat=True),
    "zai": Known("ZAI_API_KEY", "glm-5.3", chat=True),
    "zai-coding-cn": Known("ZAI_CODING_CN_API_KEY", "glm-5.3", chat=True),
}
