"""The configuration as it is read: what wins over what, where secrets come from, and what is refused how."""

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.configuration import load, make_folders
from actors.errors import ConfigurationError
from actors.settings import Secret, Settings

TOKEN = "123456:AAE-first_token"
OTHER = "654321:AAE-other_token"

Load = Callable[..., Settings]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's configuration folder; also where relative paths of the environment start."""
    folder = tmp_path / "dispatchd"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def read(home: Path) -> Load:
    """Loads `toml` as that person's configuration, with these variables."""

    def read(toml: str = "", **variables: str) -> Settings:
        file = home / "config.toml"
        file.write_text(toml)
        file.chmod(0o600)
        return load({"XDG_CONFIG_HOME": str(home.parent), "XDG_STATE_HOME": str(home.parent), **variables})

    return read


def test_nothing_configured_is_the_defaults(home: Path) -> None:
    settings = load({"XDG_CONFIG_HOME": str(home.parent), "XDG_STATE_HOME": "/state"})
    assert settings == Settings(paths=settings.paths)
    assert settings.paths.workspaces == Path("/state/dispatchd/workspaces")


def test_the_file_is_read(read: Load, home: Path) -> None:
    settings = read(
        f"""
        [telegram]
        \tbot_token = "{TOKEN}"
        allowed_user_ids = [1, 2]
        allowed_group_ids = [-100]
        [pi]
        turn_timeout = 60
        agent_dir = "/pi"
        [rooms]
        workspace = "work"
        busy = "interrupt"
        [projects.web]
        path = "/src/web"
        """
    )
    assert settings.telegram.bot_token == Secret(TOKEN)
    assert settings.telegram.allowed_user_ids == {1, 2}
    assert settings.telegram.allowed_group_ids == {-100}
    assert settings.pi.turn_timeout == 60
    assert settings.paths.agent_dir == Path("/pi")
    assert settings.paths.workspaces == home / "work"
    assert settings.projects["web"].path == Path("/src/web")
    assert settings.warnings == ()


def test_every_variable_wins_over_its_key(read: Load, home: Path) -> None:
    settings = read(
        f"""
        telegram = {{ bot_token = "{TOKEN}", allowed_user_ids = [1] }}
        pi = {{ provider = "zai", model = "a", api_key = "file-key", base_url = "http://file", turn_timeout = 1 }}
        rooms = {{ max = 1, workspace = "/file" }}
        """,
        TELEGRAM_BOT_TOKEN=OTHER,
        TELEGRAM_ALLOWED_USERS="2, 3 4",
        WORKSPACE_DIR="work",
        THREADS_DIR="threads",
        LOG_LEVEL="debug",
        PI_TIMEOUT="2.5",
        LLM_PROVIDER="zai",
        LLM_API_KEY="env-key",
        LLM_MODEL="b",
        LLM_BASE_URL="http://env",
        MAX_THREADS="7",
    )
    assert settings.telegram.bot_token == Secret(OTHER)
    assert settings.telegram.allowed_user_ids == {2, 3, 4}
    assert settings.paths.workspaces == home.parent / "work"
    assert settings.paths.state_dir == home.parent / "threads"
    assert settings.log_level == "DEBUG"
    assert settings.pi.turn_timeout == 2.5
    assert (settings.pi.model, settings.pi.api_key, settings.pi.base_url) == ("b", Secret("env-key"), "http://env")
    assert settings.rooms.max == 7


def test_another_provider_by_environment_does_not_get_the_files_key(read: Load) -> None:
    toml = '[pi]\nprovider = "zai"\nmodel = "glm-5.3"\napi_key = "for-zai-only"\nturn_timeout = 9'
    settings = read(toml, LLM_PROVIDER="moonshot")
    assert (settings.pi.provider, settings.pi.model, settings.pi.api_key) == ("moonshot", None, None)
    assert settings.pi.turn_timeout == 9
    assert read(toml, LLM_PROVIDER="moonshot", LLM_API_KEY="mine").pi.api_key == Secret("mine")
    assert read(toml, LLM_PROVIDER="zai").pi.api_key == Secret("for-zai-only")


def test_an_empty_variable_is_none(read: Load) -> None:
    assert read("[rooms]\nmax = 3", MAX_THREADS="", LLM_API_KEY="", LOG_LEVEL="") == read("[rooms]\nmax = 3")


def test_a_dotenv_stands_between_file_and_environment(read: Load, home: Path) -> None:
    (home / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nMAX_THREADS=2\nPI_TIMEOUT=3\n")
    (home / ".env").chmod(0o600)
    settings = read("[rooms]\nmax = 1", PI_TIMEOUT="4")
    assert settings.telegram.bot_token == Secret(TOKEN)
    assert settings.rooms.max == 2
    assert settings.pi.turn_timeout == 4
    assert settings.warnings == ()


def test_a_variable_that_cannot_be_is_named(read: Load) -> None:
    with pytest.raises(ConfigurationError, match=r'^MAX_THREADS must be a whole number from 1 to 1000, and "x" stands'):
        read(MAX_THREADS="x")
    with pytest.raises(ConfigurationError, match=r"^TELEGRAM_ALLOWED_USERS must be a list, each item a person's id"):
        read(TELEGRAM_ALLOWED_USERS="1,@ada")
    with pytest.raises(ConfigurationError, match=r'^LOG_LEVEL must be one of "CRITICAL", "DEBUG"'):
        read(LOG_LEVEL="loud")
    assert read(LOG_LEVEL="warn").log_level == "WARNING"


def test_secrets_are_read_from_their_files(read: Load, home: Path) -> None:
    for name, text in (("token", f"{TOKEN}\n"), ("key", "  sesame\n")):
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    toml = '[telegram]\nbot_token_file = "token"\n[pi]\napi_key_file = "key"'
    settings = read(toml)
    assert (settings.telegram.bot_token, settings.pi.api_key) == (Secret(TOKEN), Secret("sesame"))
    assert settings.warnings == ()
    assert read(toml, TELEGRAM_BOT_TOKEN=OTHER).telegram.bot_token == Secret(OTHER)


@pytest.mark.parametrize(("content", "why"), [(None, "does not exist"), ("", "nothing else"), ("a b", "nothing else")])
def test_a_file_without_a_secret_is_refused(read: Load, home: Path, content: str | None, why: str) -> None:
    if content is not None:
        (home / "key").write_text(content)
    with pytest.raises(ConfigurationError, match=rf"^\[pi\] api_key_file: {home / 'key'} .*{why}"):
        read('[pi]\napi_key_file = "key"')


def test_a_credential_fills_what_nothing_else_gave(read: Load, home: Path) -> None:
    credentials = home / "credentials"
    credentials.mkdir()
    (credentials / "telegram_bot_token").write_text(TOKEN)
    (credentials / "llm_api_key").write_text("sesame\n")
    given = {"CREDENTIALS_DIRECTORY": str(credentials)}
    settings = read(**given)
    assert (settings.telegram.bot_token, settings.pi.api_key) == (Secret(TOKEN), Secret("sesame"))
    assert read(f'[telegram]\nbot_token = "{OTHER}"', **given).telegram.bot_token == Secret(OTHER)
    (credentials / "telegram_bot_token").unlink()
    assert read(**given).telegram.bot_token is None


def test_secrets_that_others_can_read_are_warned_of(read: Load, home: Path) -> None:
    (home / "key").write_text("sesame")
    (home / "key").chmod(0o640)
    (home / ".env").write_text("LLM_MODEL=a\n")
    (home / ".env").chmod(0o604)
    file = home / "config.toml"
    assert read('[pi]\napi_key_file = "key"').warnings == tuple(
        f"others can read {path}, which is for secrets: chmod 600 {path}" for path in (home / ".env", home / "key")
    )
    (home / ".env").chmod(0o600)
    file.write_text('[pi]\napi_key = "sesame"')
    file.chmod(0o644)
    assert load({}, file).warnings == (f"others can read {file}, which is for secrets: chmod 600 {file}",)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[rooms]\nmax = ", "config.toml, line 2: not valid TOML: Invalid value."),
        ("[rooms]\nmax = 1\nmax = 2", "config.toml, line 3: not valid TOML: Cannot overwrite a value."),
        ("a = " + "[" * 100_000, "config.toml: not valid TOML: a value in it is beyond all measure."),
        ("a = " + "9" * 5_000, "config.toml: not valid TOML: a value in it is beyond all measure."),
        ("[room]\nmax = 1", "config.toml: there is no table [room]; the nearest one is rooms."),
        ("[rooms]\nmaks = 1", "config.toml: [rooms] has no key maks; the nearest one is max."),
        ("projects = 1", "config.toml: projects must be tables, each written as [projects.<name>]."),
        ("[projects]\nweb = 1", "config.toml: projects.web must be a table, written as [projects.web]."),
        ('[pi]\napi_key = "a"\napi_key_file = "b"', "[pi] has both api_key and api_key_file; leave one of them out."),
        (
            '[telegram]\nbot_token = "sesame"',
            "is no bot token: copy it from @BotFather whole, digits, colon and letters.",
        ),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_one_sentence(read: Load, toml: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(toml)
    assert str(caught.value).endswith(sentence)
    assert "\n" not in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml does not exist"):
        load({}, tmp_path / "none.toml")


def test_the_folders_are_made(read: Load, home: Path) -> None:
    (home / "web").mkdir()
    settings = read('[projects.web]\npath = "web"', THREADS_DIR="t", DISPATCHD_SOCKET=str(home / "run" / "ctl"))
    make_folders(settings)
    make_folders(settings)
    paths = settings.paths
    for folder in (paths.state_dir, paths.sessions_dir, paths.agent_dir, paths.runtime_dir):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert paths.workspaces.is_dir()


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ('[rooms]\nworkspace = "file/work"', r"\[rooms\] workspace \(or WORKSPACE_DIR\)"),
        ('[rooms]\nworkspace = "file"', r"\[rooms\] workspace \(or WORKSPACE_DIR\)"),
        ('[projects.web]\npath = "none"', r"\[projects.web\] path"),
        ('[pi]\nagent_dir = "none"', r"\[pi\] agent_dir"),
    ],
)
def test_a_folder_that_cannot_be_is_named_with_its_key(read: Load, home: Path, toml: str, key: str) -> None:
    (home / "file").touch()
    settings = read(toml, THREADS_DIR=str(home / "t"), DISPATCHD_SOCKET=str(home / "run" / "ctl"))
    with pytest.raises(ConfigurationError, match=f"^{key}: {home}/.* is no folder"):
        make_folders(settings)


def test_a_folder_that_may_not_be_written_is_named(read: Load, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(WORKSPACE_DIR="w", THREADS_DIR=str(home / "t"), DISPATCHD_SOCKET=str(home / "run" / "ctl"))
    monkeypatch.setattr("os.access", lambda path, _: path != settings.paths.workspaces)  # root may write anywhere
    with pytest.raises(ConfigurationError, match=r"^\[rooms\] workspace .* cannot be read and written"):
        make_folders(settings)
