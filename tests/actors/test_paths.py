"""Where things are, for a person, for systemd and without either; and that the command line finds the same socket."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.errors import ConfigurationError
from actors.paths import MAX_SOCKET_PATH, config_path, locate, private_folder, read_text, socket_path, with_dotenv

PERSON = {"XDG_CONFIG_HOME": "/h/c", "XDG_STATE_HOME": "/h/s", "XDG_RUNTIME_DIR": "/run/user/7"}
UNIT = {
    "CONFIGURATION_DIRECTORY": "/etc/dispatchd",
    "STATE_DIRECTORY": "/var/lib/dispatchd:/var/lib/other",
    "RUNTIME_DIRECTORY": "/run/dispatchd",
}


def test_a_person_has_everything_under_the_base_folders() -> None:
    assert locate(PERSON)._asdict() == {
        "config_file": Path("/h/c/dispatchd/config.toml"),
        "state_dir": Path("/h/s/dispatchd"),
        "database": Path("/h/s/dispatchd/state.db"),
        "sessions_dir": Path("/h/s/dispatchd/sessions"),
        "agent_dir": Path("/h/s/dispatchd/pi"),
        "workspaces": Path("/h/s/dispatchd/workspaces"),
        "runtime_dir": Path("/run/user/7/dispatchd"),
        "socket": Path("/run/user/7/dispatchd/ctl.sock"),
    }


def test_systemd_says_it_more_precisely() -> None:
    paths = locate(PERSON | UNIT)
    assert paths.config_file == Path("/etc/dispatchd/config.toml")
    assert paths.state_dir == Path("/var/lib/dispatchd")
    assert paths.socket == Path("/run/dispatchd/ctl.sock")


def test_the_state_folder_can_be_chosen_over_all_of_them() -> None:
    assert locate(PERSON | UNIT | {"THREADS_DIR": "/mine"}).state_dir == Path("/mine")
    assert locate(PERSON | {"THREADS_DIR": "mine"}).state_dir == Path.cwd() / "mine"
    assert locate(PERSON | {"THREADS_DIR": "~/mine"}).state_dir == Path.home() / "mine"


def test_without_variables_the_system_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in PERSON:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    if sys.platform == "linux":
        assert config_path({}) == Path("/home/ada/.config/dispatchd/config.toml")
        assert locate({}).state_dir == Path("/home/ada/.local/state/dispatchd")
    # The specification has relative ones ignored.
    assert config_path({"XDG_CONFIG_HOME": "here"}) == config_path({})


@pytest.fixture
def no_run_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user for whom nobody has made a folder under /run/user."""
    monkeypatch.setattr(os, "geteuid", lambda: 987_654)


@pytest.mark.usefixtures("no_run_user")
def test_without_a_session_the_socket_is_in_the_state_folder() -> None:
    assert locate({"XDG_STATE_HOME": "/h/s"}).socket == Path("/h/s/dispatchd/run/ctl.sock")


@pytest.mark.usefixtures("no_run_user")
def test_a_path_too_long_for_a_socket_gets_a_short_one_of_its_own() -> None:
    deep = [locate({"THREADS_DIR": f"/{'deep/' * 30}{name}"}) for name in ("a", "b", "a")]
    assert deep[0].socket == deep[2].socket != deep[1].socket
    assert all(len(os.fsencode(each.socket)) <= MAX_SOCKET_PATH for each in deep)
    assert deep[0].runtime_dir == deep[0].socket.parent
    longest = MAX_SOCKET_PATH - len("/run/ctl.sock")
    assert locate({"THREADS_DIR": "/" + "x" * (longest - 1)}).socket.parts[1] != "tmp"
    assert locate({"THREADS_DIR": "/" + "x" * longest}).socket.parts[1] == "tmp"


def test_a_socket_that_is_named_is_used_or_refused() -> None:
    assert socket_path({"DISPATCHD_SOCKET": "/s/ctl"}) == locate({**PERSON, "DISPATCHD_SOCKET": "/s/ctl"}).socket
    with pytest.raises(ConfigurationError, match=r"^DISPATCHD_SOCKET is 108 bytes long .* 107"):
        locate({**PERSON, "DISPATCHD_SOCKET": "/" + "x" * 107})


@pytest.mark.usefixtures("no_run_user")
def test_the_command_line_finds_the_socket_of_a_service_that_a_dotenv_moved(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": "/h/s"}
    (tmp_path / "dispatchd").mkdir()
    (tmp_path / "dispatchd" / ".env").write_text("THREADS_DIR=/t\nXDG_RUNTIME_DIR=/ignored\n")
    service = locate(with_dotenv(environ, config_path(environ)))
    assert socket_path(environ) == service.socket == Path("/t/run/ctl.sock")


def test_finding_the_socket_loads_nothing_heavy() -> None:
    program = (
        "import sys; from actors.paths import socket_path; print(socket_path({'XDG_RUNTIME_DIR': '/r'}));"
        "print(*{'trio', 'msgspec', 'platformdirs', 'hashlib', 'tempfile', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["/r/dispatchd/ctl.sock", ""]


def test_the_environment_wins_over_the_dotenv_unless_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_MODEL=a\nLLM_API_KEY=b\nPATH=/evil\n")
    merged = with_dotenv({"LLM_MODEL": "c", "LLM_API_KEY": "", "PATH": "/bin"}, tmp_path / "config.toml")
    assert merged == {"LLM_MODEL": "c", "LLM_API_KEY": "b", "PATH": "/bin"}


def test_a_malformed_dotenv_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nthis is none\n")
    with pytest.raises(ConfigurationError, match=r"\.env, line 2: expected NAME=value\.$"):
        with_dotenv({}, tmp_path / "config.toml")


def test_a_private_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for folder in (tmp_path / "a" / "b", tmp_path / "open"):
        private_folder(folder)
        private_folder(folder)
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_private_folder_may_be_reached_by_a_link_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    private_folder(tmp_path / "link")
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o700


def test_a_private_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError, match=str(folder)):
            private_folder(folder)


def test_a_private_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)  # root may write anywhere
    with pytest.raises(ConfigurationError, match="cannot be written by this user"):
        private_folder(tmp_path)


def test_a_folder_that_all_users_share_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    with pytest.raises(ConfigurationError, match="shared with other users"):
        private_folder(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o7777 == 0o1777


def test_a_private_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    uid = os.getuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(ConfigurationError, match="not a folder of this user"):
        private_folder(tmp_path / "open")
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o755


def test_a_link_that_another_user_laid_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real = Path.lstat

    def lstat(self: Path) -> os.stat_result:
        values = list(real(self))
        values[4] = os.getuid() + 1  # only root could lay such a link
        return os.stat_result(values)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(ConfigurationError, match="not a folder of this user"):
        private_folder(tmp_path / "link")


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    cases = {
        "folder": "not a regular file",
        "pipe": "not a regular file",
        "huge": "larger than 1 MiB",
        "latin": "line 2",
    }
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b"#" * ((1 << 20) + 1))
    (tmp_path / "latin").write_bytes(b"a\n\xe4\nb")
    for name, why in cases.items():
        with pytest.raises(ConfigurationError, match=f"{name}.*{why}"):
            read_text(tmp_path / name)
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfa")
    assert read_text(tmp_path / "bom") == "a"
