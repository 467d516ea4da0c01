"""The settings: secrets stay hidden, the defaults are the documented ones, and the example file tells the truth."""

import copy
import re
from pathlib import Path

import msgspec
import pytest

from actors.configuration import load
from actors.paths import locate
from actors.settings import SECTIONS, ProjectSettings, Secret, Settings, TelegramSettings, in_bytes

EXAMPLE = Path(__file__).parents[2] / "conf" / "config.example.toml"


def test_a_secret_shows_itself_nowhere_but_where_it_is_asked_to() -> None:
    secret = Secret("hunter2-hunter2")
    shown = [repr(secret), str(secret), f"{secret}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert not [text for text in shown if "hunter2" in text]
    assert "hunter2" not in repr(TelegramSettings(bot_token=secret))
    assert secret.reveal() == "hunter2-hunter2"


def test_secrets_are_equal_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert copy.deepcopy(Secret("a")) == Secret("a")


def test_a_secret_cannot_be_written_out_by_mistake() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(TelegramSettings(bot_token=Secret("a")))


def test_the_file_url_follows_the_request_url() -> None:
    assert TelegramSettings().base_file_url == "https://api.telegram.org/file/bot"
    assert TelegramSettings(base_url="http://127.0.0.1:8081/bot").base_file_url == "http://127.0.0.1:8081/file/bot"


def test_every_section_is_a_field_of_the_settings() -> None:
    others = {"paths", "projects", "log_level", "warnings"}
    assert set(SECTIONS) == set(Settings.__struct_fields__) - others
    defaults = Settings(paths=locate({"THREADS_DIR": "/s", "DISPATCHD_SOCKET": "/s/ctl", "XDG_CONFIG_HOME": "/c"}))
    assert {name: type(getattr(defaults, name)) for name in SECTIONS} == SECTIONS


def test_an_amount_of_memory_in_bytes() -> None:
    assert [in_bytes(size) for size in ("256M", "1024M", "1G", "4G")] == [256 << 20, 1 << 30, 1 << 30, 4 << 30]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(EXAMPLE.read_text())
    file.chmod(0o600)
    return file


def test_the_example_as_it_is_changes_nothing(example: Path) -> None:
    settings = load({"THREADS_DIR": str(example.parent)}, example)
    assert settings == Settings(paths=settings.paths)


def test_the_example_with_every_key_is_accepted_and_shows_the_defaults(example: Path) -> None:
    text = re.sub(r"^#(?=[\w\[])", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    example.write_text(text)
    settings = load({"THREADS_DIR": str(example.parent)}, example)
    assert settings.projects == {"website": ProjectSettings(path=Path.home() / "src/website")}
    examples = {
        *("telegram.bot_token", "pi.provider", "pi.api_key", "pi.model", "pi.thinking"),
        *("pi.memory_max", "pi.processes_max"),
        *("rooms.workspace", "budget.per_turn", "budget.per_day"),
    }
    for name, kind in SECTIONS.items():
        for key in kind.__struct_fields__:
            given, default = getattr(getattr(settings, name), key), getattr(kind(), key)
            assert (given != default) == (f"{name}.{key}" in examples), f"[{name}] {key}"


def test_the_example_names_every_key() -> None:
    text = EXAMPLE.read_text()
    for name, kind in SECTIONS.items():
        table = text.split(f"[{name}]\n")[1].split("\n[")[0]
        assert [key for key in kind.__struct_fields__ if not re.search(rf"\b{key} = ", table)] == []
