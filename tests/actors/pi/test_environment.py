"""What an agent may see of the service's environment."""

import pytest

from actors.pi.environment import environment

PARENT = {
    "PATH": "/bin",
    "HOME": "/home/p",
    "LC_ALL": "C.UTF-8",
    "XDG_CONFIG_HOME": "/c",
    "https_proxy": "http://proxy",
    "TELEGRAM_BOT_TOKEN": "1:secret",
    "NOTIFY_SOCKET": "/run/notify",
    "CREDENTIALS_DIRECTORY": "/run/credentials",
    "LISTEN_FDS": "1",
    "WATCHDOG_USEC": "1",
    "GITHUB_TOKEN": "secret",
    "LLM_API_KEY": "secret",
    "XDG_RUNTIME_DIR": "/run/user/1",
    "LC_SECRET_TOKEN": "secret",
    "SOMETHING_ELSE": "1",
}


def test_only_what_is_named_passes() -> None:
    assert environment(PARENT, extra={}) == {
        "PATH": "/bin",
        "HOME": "/home/p",
        "LC_ALL": "C.UTF-8",
        "XDG_CONFIG_HOME": "/c",
        "https_proxy": "http://proxy",
    }


def test_extra_wins() -> None:
    allowed = environment(PARENT, extra={"PI_OFFLINE": "1", "HOME": "/other"})
    assert (allowed["PI_OFFLINE"], allowed["HOME"]) == ("1", "/other")


@pytest.mark.parametrize("name", ["TELEGRAM_BOT_TOKEN", "ZAI_API_KEY", "NOTIFY_SOCKET", "GH_TOKEN", "LISTEN_PID"])
def test_a_key_in_extra_is_refused_by_name_and_its_value_not_shown(name: str) -> None:
    with pytest.raises(ValueError, match=name) as refused:
        environment({}, extra={name: "hunter2"})
    assert "hunter2" not in str(refused.value)
