"""Every refusal is one sentence: which key, what is expected, what stands there."""

from pathlib import Path

import pytest

from actors.errors import ConfigurationError
from actors.settings import (
    MetricsSettings,
    PiSettings,
    ProjectSettings,
    RoomsSettings,
    ScheduleSettings,
    Secret,
    Section,
    TelegramSettings,
)
from actors.validation import expected, project, section, text_value, unknown_table

FILE = Path("/c/config.toml")

REFUSED: list[tuple[type[Section], str, object, str]] = [
    (RoomsSettings, "max", "many", 'must be a whole number from 1 to 1000, and "many" stands there'),
    (RoomsSettings, "max", 0, "must be a whole number from 1 to 1000, and 0 stands there"),
    (RoomsSettings, "max", 1001, "and 1001 stands there"),
    (RoomsSettings, "queue", True, "and true stands there"),
    (RoomsSettings, "queue", 1.5, "and 1.5 stands there"),
    (RoomsSettings, "queue", 10**30, "and a number stands there"),
    (RoomsSettings, "busy", "wait", 'must be one of "follow_up", "interrupt", "steer", and "wait" stands there'),
    (RoomsSettings, "workspace", "", "must be a path, and an empty text stands there"),
    (RoomsSettings, "workspace", "a\0b", "must be a path, and a text stands there"),
    (PiSettings, "turn_timeout", 0, "must be a number above 0 and at most 604800, and 0 stands there"),
    (PiSettings, "turn_timeout", float("inf"), "and inf stands there"),
    (PiSettings, "turn_timeout", float("nan"), "and nan stands there"),
    (PiSettings, "model_timeout", 9, "must be a number from 10 to 3600, and 9 stands there"),
    (PiSettings, "memory_max", "255M", 'must be a size from "256M" to "9999G", such as "2G", and "255M" stands there'),
    (PiSettings, "memory_max", "0G", "must be a size"),
    (PiSettings, "memory_max", "1.5G", "must be a size"),
    (PiSettings, "memory_max", 4096, "must be a size"),
    (PiSettings, "processes_max", 63, "must be a whole number from 64 to 100000, and 63 stands there"),
    (PiSettings, "trust_projects", "yes", 'must be true or false, and "yes" stands there'),
    (PiSettings, "model", "-e /evil.ts", "must be a model's id without blanks"),
    (PiSettings, "base_url", "localhost:1234", "must be a URL, such as http://"),
    (TelegramSettings, "base_url", "http://127.0.0.1:8081", "must be a URL that ends in /bot"),
    (TelegramSettings, "allowed_user_ids", 7, "must be a list, each item a person's id, a whole number above 0, and 7"),
    (TelegramSettings, "allowed_user_ids", ["7"], "and a list stands there"),
    (TelegramSettings, "allowed_user_ids", [-7], "each item a person's id"),
    (TelegramSettings, "allowed_group_ids", [7], "a group's id, a whole number below 0"),
    (ScheduleSettings, "heartbeat", "on", 'must be "off" or a number above 0'),
    (MetricsSettings, "listen", "9464", 'must be "off" or a host and a port'),
]


@pytest.mark.parametrize(("kind", "key", "given", "sentence"), REFUSED)
def test_a_value_that_cannot_be(kind: type[Section], key: str, given: object, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        section(kind, {key: given}, file=FILE, name="table")
    text = str(caught.value)
    assert text.startswith(f"/c/config.toml: [table] {key} must be ")
    assert sentence in text
    assert "\n" not in text


@pytest.mark.parametrize("given", [12345678, ["sesame-12345678"], "", {"sesame": 12345678}, "a 12345678"])
def test_a_secret_is_not_part_of_the_sentence(given: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"must be a text without blanks, and an? [a-z ]+ stands there"
    ) as caught:
        section(PiSettings, {"api_key": given}, file=FILE, name="pi")
    assert "12345678" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "key", "mend"),
    [
        (TelegramSettings, "telegram", "bot_tokn", "the nearest one is bot_token"),
        (TelegramSettings, "telegram", "provider", "it belongs to [pi]"),
        (RoomsSettings, "rooms", "zzz", "there are: busy, max, on_restart, queue, workspace"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_right_one(
    kind: type[Section], name: str, key: str, mend: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        section(kind, {key: "sesame"}, file=FILE, name=name)
    assert str(caught.value) == f"/c/config.toml: [{name}] has no key {key}; {mend}."


def test_an_unknown_table_is_refused_with_the_nearest_right_one() -> None:
    assert str(unknown_table("telegrm", {}, file=FILE)).endswith(
        "there is no table [telegrm]; the nearest one is telegram."
    )
    assert str(unknown_table("bot_token", "x", file=FILE)).endswith(
        "bot_token stands outside its table; put it under [telegram]."
    )


def test_a_name_from_outside_stays_on_one_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        section(RoomsSettings, {"a\n\x1b" + "b" * 1000: 1}, file=FILE, name="rooms")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"rooms must be a table, written as \[rooms\]\.$"):
        section(RoomsSettings, 5, file=FILE, name="rooms")


def test_paths_start_at_the_files_folder_and_secrets_are_wrapped() -> None:
    pi = section(PiSettings, {"agent_dir": "../pi", "api_key": " sesame\n"}, file=FILE, name="pi")
    assert pi == PiSettings(agent_dir=Path("/pi"), api_key=Secret("sesame"))


def test_a_project_needs_a_path_and_a_plain_name() -> None:
    assert project("web-1_x", {"path": "w"}, file=FILE) == ProjectSettings(path=Path("/c/w"))
    with pytest.raises(ConfigurationError, match=r"\[projects\.web\] needs the key path\.$"):
        project("web", {}, file=FILE)
    for name in ("", "a b", "../up", "ä", "x" * 33, "-"):
        with pytest.raises(ConfigurationError, match="needs a name of at most 32 letters, digits and hyphens"):
            project(name, {"path": "w"}, file=FILE)


def test_a_variables_text_becomes_what_the_key_wants() -> None:
    def convert(kind: object, text: str) -> object:
        return text_value(kind, text, label="V", folder=Path("/w"))

    assert convert(int, " 7 ") == 7
    assert convert(float | None, "7") == 7.0
    assert convert(bool, "true") is True
    assert convert(Path | None, "a") == Path("/w/a")
    assert convert(frozenset[int], "1, 2\t3,,") == {1, 2, 3}
    assert convert(frozenset[int], ",") == frozenset()
    with pytest.raises(ConfigurationError, match=r'^V must be a whole number, and "x" stands there\.$'):
        convert(int, "x")


def test_what_is_expected_in_words() -> None:
    assert expected(int | str | None) == "a whole number or a text"
    assert expected(Secret | None) == "a text without blanks"
