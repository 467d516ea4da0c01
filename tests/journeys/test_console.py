"""A person at a terminal or a pipe: `dispatchd run --console`, nothing configured, the real pi, the embedded demo."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
import trio

from tests.journeys.house import DISPATCHD, PATIENCE, open_house


async def piped(environ: dict[str, str], text: str) -> "subprocess.CompletedProcess[bytes]":
    """What `printf TEXT | dispatchd run --console` prints."""
    with trio.fail_after(PATIENCE):
        return await trio.run_process(
            [str(DISPATCHD), "run", "--console"],
            stdin=text.encode(),
            env=environ,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


async def test_a_piped_line_is_answered_and_the_end_of_input_ends_the_service(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        done = await piped(house.environ, "hello\n")
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.decode().count("you said “hello”") == 1
        banner = done.stderr.decode()
        for word in ("demo", "LLM_PROVIDER", "TELEGRAM_BOT_TOKEN", "ask: <question>"):
            assert word in banner
        again = await piped(house.environ, "again\n")
        assert (again.returncode, again.stdout.decode().count("you said “again”")) == (0, 1)
        [session] = house.session_files("console")
        texts = session.read_text()
        assert "hello" in texts
        assert "again" in texts  # one session, carried over


async def test_lines_wait_for_each_other_and_tools_really_run(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        done = await piped(house.environ, "run: echo $((6*7))\nwrite: notes.txt kept\nslow: 5\n/status\n")
        out = done.stdout.decode()
        assert done.returncode == 0
        assert out.index("42") < out.index("1 2 3 4 5") < out.index("idle")
        workspace = house.state / "workspaces/console"
        assert (workspace / "notes.txt").read_text().strip() == "kept"
        assert "bash: echo" in done.stderr.decode()


async def test_export_prints_the_conversation(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await piped(house.environ, "hello\n")
        shown = await trio.run_process([str(DISPATCHD), "export", "console"], env=house.environ, capture_stdout=True)
        room = json.loads(shown.stdout)
        assert [message["role"] for message in room["messages"]] == ["user", "assistant"]
        assert room["messages"][0]["content"] == "hello"
        missing = await trio.run_process(
            [str(DISPATCHD), "export", "nowhere"], env=house.environ, capture_stderr=True, check=False
        )
        assert missing.returncode == 2
        assert b"console" in missing.stderr


async def test_ctrl_c_stops_the_turn_and_a_second_one_ends_the_service(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        main, terminal = pty.openpty()
        process = await trio.lowlevel.open_process(
            [str(DISPATCHD), "run", "--console"], stdin=terminal, stdout=terminal, stderr=terminal, env=house.environ
        )
        os.close(terminal)
        seen = bytearray()

        async def until(words: str) -> None:
            with trio.fail_after(PATIENCE):
                while words.encode() not in seen:
                    await trio.lowlevel.wait_readable(main)
                    seen.extend(os.read(main, 65536))

        await until("Ctrl-C")
        os.write(main, b"slow: 2000\n")
        await until("1 2 3 4")
        process.send_signal(signal.SIGINT)
        await until("Stopped.")
        os.write(main, b"hello\n")
        await until("you said")
        process.send_signal(signal.SIGINT)
        with trio.fail_after(PATIENCE):
            assert await process.wait() == 0
        os.close(main)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"LLM_PROVIDER": "zai"}, ["api_key", "LLM_API_KEY"]),
        ({"LLM_PROVIDER": "nonsense", "LLM_API_KEY": "k" * 20}, ["nonsense", "provider"]),
        ({"MAX_THREADS": "many"}, ["MAX_THREADS"]),
        ({"TELEGRAM_BOT_TOKEN": "nonsense"}, ["bot_token", "@BotFather"]),
        ({"WORKSPACE_DIR": "/proc/nowhere"}, ["WORKSPACE_DIR", "/proc/nowhere"]),
    ],
)
async def test_a_wrong_setting_is_one_sentence_and_exit_code_2(
    tmp_path: Path, change: dict[str, str], words: list[str]
) -> None:
    async with open_house(tmp_path) as house:
        done = await piped(house.environ | change, "hello\n")
        sentence = done.stderr.decode()
        assert done.returncode == 2, sentence
        assert len(sentence.splitlines()) == 1
        assert all(word in sentence for word in words)


async def test_what_is_wrong_with_the_state_folder_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.state.mkdir()
        for name in ("lock", "dispatchd.log", "state.db"):  # in the order in which they are made
            place = house.state / name
            place.mkdir()
            done = await piped(house.environ, "hello\n")
            assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr.decode()
            assert str(place) in done.stderr.decode()
            place.rmdir()
        (house.state / "state.db").write_bytes(b"no database, and longer than the header of one" * 100)
        done = await piped(house.environ, "hello\n")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr.decode()
        assert "move it away" in done.stderr.decode()


async def test_nobody_to_talk_to_is_said(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        done = await trio.run_process([str(DISPATCHD), "run"], env=house.environ, capture_stderr=True, check=False)
        assert done.returncode == 2
        assert b"--console" in done.stderr


async def test_closed_streams_are_an_end_of_input_and_a_sentence(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        command = f"exec {DISPATCHD} run --console"
        deaf = await trio.run_process(
            ["sh", "-c", f"{command} <&-"], env=house.environ, capture_stderr=True, check=False
        )
        assert deaf.returncode == 0
        mute = await trio.run_process(
            ["sh", "-c", f"{command} >&-"], env=house.environ, capture_stderr=True, check=False
        )
        assert mute.returncode == 2
        assert b"standard output is closed" in mute.stderr


async def test_two_services_do_not_share_a_state_folder(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        first = await trio.lowlevel.open_process(
            [str(DISPATCHD), "run", "--console"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=house.environ,
        )  # fmt: skip
        await house.until(lambda: house.node("/service"))
        done = await piped(house.environ, "hello\n")
        assert done.returncode == 2
        assert str(house.state) in done.stderr.decode()
        assert first.stdin is not None
        await first.stdin.aclose()
        with trio.fail_after(PATIENCE):
            assert await first.wait() == 0
