"""The Telegram part of the bench still adds up: its tables from notes known by heart, and the scripted pi at its pace.

No figure of the service is judged here.
"""

import json
import math
import subprocess
from pathlib import Path

import pytest

from tests.bench import telegram_load, telegram_pi
from tests.bench.telegram_side import Wait
from tests.bench.telegram_side import lines as side_lines
from tests.bench.telegram_table import Line, milliseconds, percentile, text
from tests.fakes.pi import COMMAND


def test_a_table() -> None:
    lines = [Line("speed", "3 /s"), Line("loss", "0", "0", True), Line("wait", "–", "1 ms", False)]
    assert text("all of it", lines) == (
        "all of it                                        measured          goal\n"
        "-----------------------------------------------------------------------\n"
        "speed                                                3 /s\n"
        "loss                                                    0             0  ok\n"
        "wait                                                    –          1 ms  missed"
    )


def test_percentiles() -> None:
    assert [percentile([3.0, 1.0, 2.0], which) for which in (50, 99)] == [2.0, 3.0]
    assert (milliseconds(percentile([], 50)), milliseconds(1.2345)) == ("–", "1,234.5 ms")
    assert not percentile([], 50) < math.inf  # what was not measured meets no goal


def test_the_load_is_summed_up_from_the_notes_of_all() -> None:
    told = {
        "said": {"warm-0": 1.0, "load-0": 10.0, "load-1": 10.0},
        "seen": {"load-0": 10.6, "load-1": 12.0},
        "finals": {"warm-0": 1, "load-0": 2},
        "private": ["warm-0", "load-0"],
        "statuses": {"sendMessage 200": 3, "sendMessage 429": 1, "editMessageText 400": 2, "getUpdates None": 1},
    }
    heard, spoke = {"load-0": 10.005, "load-1": 10.1, "warm-0": 5.0}, {"load-0": 10.5, "load-1": 10.5}
    lines = telegram_load.lines(told, heard, spoke, [0.5, 0.25, 0.1], (10_000_000, 20_000_000), 10.0)
    shown = {line.title: (line.figure, line.good) for line in lines}
    assert shown["answers of 429"] == ("1", False)
    assert shown["other refusals"] == ("2", None)
    assert (shown["turns begun"][0], shown["finals delivered"]) == ("2", ("1", False))
    assert shown["finals delivered twice"] == ("1", None)
    assert shown["update → prompt at pi, p99"] == ("100.0 ms", False)
    assert shown["first delta → shown, private, p50"] == ("100.0 ms", True)
    assert shown["first delta → shown, topics, p50"] == ("1,500.0 ms", None)
    assert shown["deltas taken"][0] == "200 /s"


def test_side_by_side() -> None:
    waits = {"awake": [Wait(0.1, 0.2)], "asleep": [Wait(0.9, 1.0)], "process": [Wait(1.2, 1.3), Wait(0.5, 0.6)]}
    assert side_lines(waits)[-1] == Line("awake is sooner than a process by", "12.0 x", "10 x", True)


@pytest.mark.parametrize(("words", "deltas"), [("@bot warm-3", 2), ("@bot load-4 500", 500)])
def test_the_pi_of_the_load_notes_its_times_and_says_its_words(tmp_path: Path, words: str, deltas: int) -> None:
    argv = [*COMMAND[:-1], telegram_pi.__file__, "--mode", "rpc", "--session-id", "s", "--session-dir", str(tmp_path)]
    prompt = json.dumps({"type": "prompt", "id": "1", "message": words})
    with subprocess.Popen(argv, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(prompt + "\n")
        process.stdin.flush()
        said = []
        for line in process.stdout:
            record = json.loads(line)
            event = record.get("assistantMessageEvent", {})
            if event.get("type") == "text_delta":
                said.append(event["delta"])
            if record["type"] == "agent_settled" or len(said) == 5:  # the rest of a long one is like its beginning
                break
        process.stdin.close()
    name = words.split()[1]
    assert said[0] == f"{name} "
    assert (said[-1] == f"done-{name}") == (deltas == 2)
    (heard, _, at), (began, _, then) = map(str.split, (tmp_path / telegram_pi.LOG).read_text().splitlines())
    assert (heard, began) == ("heard", "began")
    assert float(at) <= float(then)
