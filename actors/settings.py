"""All that can be configured, as plain typed data with its defaults and bounds.

`validation` turns tables into these, `configuration` fills them from files and environment; everyone else only reads.
No I/O, no decisions: a bound stands in the type, a rule between two keys in `configuration`.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from actors.paths import Paths

TELEGRAM_BASE_URL: Final = "https://api.telegram.org/bot"

Seconds = Annotated[float, Meta(gt=0, le=604_800)]
"""A duration of at most a week."""
Money = Annotated[float, Meta(gt=0, le=1_000_000)]
"""US dollars."""
Memory = Annotated[
    str,
    Meta(
        pattern=r"^(25[6-9]|2[6-9]\d|[3-9]\d\d|[1-9]\d{3,6})M$|^[1-9]\d{0,3}G$",
        description='a size from "256M" to "9999G", such as "2G"',
    ),
]
"""An amount of memory in MiB or GiB, of which pi alone takes half the least; `in_bytes` says how much."""
Thinking = Literal["off", "minimal", "low", "medium", "high", "xhigh", "max"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

UserId = Annotated[int, Meta(gt=0, lt=1 << 52, description="a person's id, a whole number above 0")]
GroupId = Annotated[int, Meta(lt=0, gt=-(1 << 52), description="a group's id, a whole number below 0")]
BotUrl = Annotated[
    str, Meta(pattern=r"^https?://[^\s/]\S*/bot$", description=f"a URL that ends in /bot, such as {TELEGRAM_BASE_URL}")
]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]\S*$", description="a URL, such as http://127.0.0.1:11434/v1")]
Name = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="a name of letters, digits, dots and hyphens")
]
ModelId = Annotated[str, Meta(pattern=r"^[^\s-]\S{0,199}$", description="a model's id without blanks, such as glm-5.3")]
Address = Annotated[
    str, Meta(pattern=r"^(off|\S+:\d{1,5})$", description='"off" or a host and a port, such as 127.0.0.1:9464')
]


class Secret:
    """A text that shows itself as `***` wherever it is printed, formatted or logged; `reveal` gives it out.

    Equal by value. It registers nothing: whoever reads one also has `redaction.remember` know it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)


def in_bytes(size: str) -> int:
    """How many bytes a `Memory` is."""
    return int(size[:-1]) << {"M": 20, "G": 30}[size[-1]]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the configuration file; its fields are exactly the table's keys."""


class TelegramSettings(Section, frozen=True, kw_only=True):
    """`base_url`: what stands before the token in a request's URL, as python-telegram-bot has it."""

    bot_token: Secret | None = None
    bot_token_file: Path | None = None
    allowed_user_ids: frozenset[UserId] = frozenset()
    allowed_group_ids: frozenset[GroupId] = frozenset()
    pairing: bool = True
    base_url: BotUrl = TELEGRAM_BASE_URL

    @property
    def base_file_url(self) -> str:
        """What stands before the token when a file is fetched."""
        return self.base_url.removesuffix("/bot") + "/file/bot"


class PiSettings(Section, frozen=True, kw_only=True):
    """`turn_timeout`: the agent's own working time. `agent_dir`: a pi folder with a login, to use instead of ours.

    `model_timeout`: how long a provider may say nothing before pi tries it again. `memory_max`, `processes_max`: what
    one agent and all that it begins may use together, where the kernel gives a way; None is no limit.
    """

    provider: Name | None = None
    model: ModelId | None = None
    thinking: Thinking | None = None
    api_key: Secret | None = None
    api_key_file: Path | None = None
    base_url: Url | None = None
    agent_dir: Path | None = None
    turn_timeout: Seconds = 1800
    idle_timeout: Seconds = 900
    model_timeout: Annotated[float, Meta(ge=10, le=3600)] = 120
    memory_max: Memory | None = None
    processes_max: Annotated[int, Meta(ge=64, le=100_000)] | None = None
    trust_projects: bool = False


class RoomsSettings(Section, frozen=True, kw_only=True):
    """`workspace`: the folder to use is `Paths.workspaces`. `max`: rooms awake. `queue`: inbounds that wait in one."""

    workspace: Path | None = None
    max: Annotated[int, Meta(ge=1, le=1000)] = 50
    queue: Annotated[int, Meta(ge=1, le=1000)] = 8
    busy: Literal["steer", "follow_up", "interrupt"] = "steer"
    on_restart: Literal["resume", "ask", "drop"] = "resume"


class ProjectSettings(Section, frozen=True, kw_only=True):
    """One `[projects.<name>]`."""

    path: Path


class SubagentsSettings(Section, frozen=True, kw_only=True):
    """Bounds of the temporary agents that an agent may start. `timeout`: of a sub-agent's own working time.

    `sandbox`: "bwrap" refuses to start where there is none, "auto" goes on without. `visible`: what a sandboxed one may
    read beside what all may, such as a toolchain in somebody's home.
    """

    max: Annotated[int, Meta(ge=1, le=1000)] = 8
    max_per_room: Annotated[int, Meta(ge=1, le=1000)] = 4
    max_depth: Annotated[int, Meta(ge=1, le=8)] = 2
    timeout: Seconds = 1800
    sandbox: Literal["auto", "bwrap", "none"] = "auto"
    visible: frozenset[Path] = frozenset()


class DispatchSettings(Section, frozen=True, kw_only=True):
    """`batch_window`: seconds until DISPATCH hears what has gathered. `batch_size`: how many events are enough."""

    enabled: bool = True
    batch_window: Seconds = 60
    batch_size: Annotated[int, Meta(ge=1, le=1000)] = 10


class ScheduleSettings(Section, frozen=True, kw_only=True):
    """`heartbeat`: seconds between two."""

    heartbeat: Literal["off"] | Seconds = "off"


class BudgetSettings(Section, frozen=True, kw_only=True):
    """None: no bound."""

    per_turn: Money | None = None
    per_day: Money | None = None


class RetentionSettings(Section, frozen=True, kw_only=True):
    """`days`: how long what is finished is kept."""

    days: Annotated[int, Meta(ge=1, le=36_500)] = 90


class MetricsSettings(Section, frozen=True, kw_only=True):
    """`listen`: host and port, or "off"."""

    listen: Address = "off"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration. `warnings`: sentences for the log and the banner; none of them keeps the service down.

    Tokens and keys are in `telegram.bot_token` and `pi.api_key`, wherever they were read from.
    """

    paths: Paths
    telegram: TelegramSettings = TelegramSettings()
    pi: PiSettings = PiSettings()
    rooms: RoomsSettings = RoomsSettings()
    projects: dict[str, ProjectSettings] = {}
    subagents: SubagentsSettings = SubagentsSettings()
    dispatch: DispatchSettings = DispatchSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    budget: BudgetSettings = BudgetSettings()
    retention: RetentionSettings = RetentionSettings()
    metrics: MetricsSettings = MetricsSettings()
    log_level: LogLevel = "INFO"
    warnings: tuple[str, ...] = ()


SECTIONS: Final[dict[str, type[Section]]] = {
    "telegram": TelegramSettings,
    "pi": PiSettings,
    "rooms": RoomsSettings,
    "subagents": SubagentsSettings,
    "dispatch": DispatchSettings,
    "schedule": ScheduleSettings,
    "budget": BudgetSettings,
    "retention": RetentionSettings,
    "metrics": MetricsSettings,
}
"""The tables of the file by name, `[projects.<name>]` apart."""
