"""`actorctl` finds the service that was started with the same environment, and stays light."""

import subprocess
import sys
from pathlib import Path

import pytest

from actors import ctl


def test_the_socket_is_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPATCHD_SOCKET", str(tmp_path / "ctl.sock"))
    monkeypatch.setattr(sys, "argv", ["actorctl", "tree"])

    assert ctl.main() == 3
    assert capsys.readouterr().err == (
        f"actorctl: no service runs on {tmp_path / 'ctl.sock'}. Start it with: dispatchd run\n"
    )


def test_a_socket_that_cannot_be_is_a_matter_of_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPATCHD_SOCKET", "/" + "x" * 200)
    monkeypatch.setattr(sys, "argv", ["actorctl", "tree"])

    assert ctl.main() == 2
    assert "DISPATCHD_SOCKET" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["pair", "approve"],
        ["pair", "remove", "Eve"],
        ["pair", "fly"],
        ["quarantine", "retry"],
        ["quarantine", "drop", "Eve"],
        ["quarantine", "show"],
        ["quarantine", "show", "-1"],
        ["quarantine", "show", "0"],
        ["quarantine", "retry", "1", "²"],
        ["quarantine", "drop", "9" * 19],
        ["pair", "remove", "9" * 5000],
        ["agents", "cancel"],
        ["agents", " "],
        ["agents", "list", "x" * 201],
        ["logs"],
        ["logs", " "],
        ["trace"],
        ["trace", " "],
        ["trace", "x" * 201],
    ],
)
def test_wrong_usage_of_our_own_commands(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["actorctl", *args])

    with pytest.raises(SystemExit) as caught:
        ctl.main()

    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"usage: actorctl {args[0]}")


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, actors.ctl; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"trio", "msgspec", "rich", "logging", "platformdirs"} & set(done.stdout.split())
