"""What a sub-agent does, as its events tell it."""

from actors.messages import AgentLost, AgentNoted, TextGrew, ToolEnded, ToolStarted, TurnSettled, Wake
from actors.redaction import forget_all, remember
from actors.subagents.ends import MOST_LOG
from actors.subagents.journal import LINE, Journal
from supervisor import Down

T = "a/1"


def started(call: str, tool: str = "bash", summary: str = "make") -> ToolStarted:
    return ToolStarted(turn=T, call=call, tool=tool, summary=summary)


def ended(call: str, *, failed: bool = False) -> ToolEnded:
    return ToolEnded(turn=T, call=call, tool="bash", failed=failed)


def grew(text: str) -> TextGrew:
    return TextGrew(turn=T, text=text)


def settled(text: str = "") -> TurnSettled:
    return TurnSettled(turn=T, incarnation=1, text=text, stop_reason="stop", error="", leaf=None)


def said(journal: Journal) -> list[str]:
    """Its lines without their times."""
    return [line[20:] for line in journal.lines]


def test_each_line_has_its_time() -> None:
    journal = Journal()
    journal.note(1_700_000_000.0, "run 1 begins")
    assert journal.lines == ("2023-11-14 22:13:20 run 1 begins",)


def test_what_it_does_now() -> None:
    journal = Journal()
    assert journal.doing == "thinking"
    journal.take(1.0, grew("I look"))
    assert journal.doing == "answering"
    journal.take(2.0, started("c1"))
    journal.take(3.0, started("c2", "read", ""))
    assert journal.doing == "read"
    journal.take(4.0, ended("c2"))
    assert journal.doing == "bash: make"
    journal.take(5.0, ended("c1"))
    assert journal.doing == "thinking"
    journal.take(6.0, AgentNoted(turn=T, text="3 of 5 done"))
    assert journal.doing == "3 of 5 done"
    journal.take(7.0, grew("So"))
    assert journal.doing == "answering"


def test_of_what_it_says_the_first_line_is_kept() -> None:
    journal = Journal()
    journal.take(1.0, grew("\n"))
    journal.take(2.0, grew("\nI look at it.\nThen"))
    journal.take(3.0, started("c1"))
    journal.take(4.0, ended("c1", failed=True))
    journal.take(5.0, grew("\nI look at it.\nThen I mend it.\n"))
    journal.hear(6.0, settled())
    assert said(journal) == ["says: I look at it.", "bash: make", "bash failed", "says:  I mend it.".replace("  ", " ")]
    assert journal.doing == "thinking"


def test_its_agents_end_is_a_line_and_ends_what_it_did() -> None:
    journal = Journal()
    journal.take(1.0, started("c1"))
    journal.hear(2.0, AgentLost(incarnation=1, what="pi ended, killed by SIGKILL"))
    journal.hear(2.0, Down(path="/a", incarnation=1, reason="boom", restarting=True))
    journal.hear(3.0, Wake())
    assert said(journal) == ["bash: make", "its agent ends: pi ended, killed by SIGKILL"]
    assert journal.doing == "thinking"


def test_it_is_bounded_and_goes_on_from_an_earlier_one() -> None:
    journal = Journal(["an earlier line"])
    assert journal.lines == ("an earlier line",)
    for number in range(300):
        journal.note(1.0, f"{number} {'x' * 1000}")
    assert len(journal.lines) == MOST_LOG
    assert all(len(line) <= LINE + 20 for line in journal.lines)


def test_no_secret_is_in_it() -> None:
    remember("sk-secret-1234")
    journal = Journal()
    journal.take(1.0, started("c1", summary="curl sk-secret-1234"))
    journal.take(2.0, grew("the key is sk-secret-1234"))
    journal.hear(3.0, settled())
    assert said(journal) == ["bash: curl ***", "says: the key is ***"]
    forget_all()


def test_what_it_said_last_is_whole_though_its_last_picture_was_not() -> None:
    journal = Journal()
    journal.take(1.0, grew("The"))
    journal.hear(2.0, settled("The end."))
    journal.hear(3.0, settled("Seen by nobody."))
    journal.take(4.0, grew("Again."))
    journal.take(5.0, started("a"))
    journal.hear(6.0, settled("Again."))
    assert said(journal) == ["says: The end.", "says: Seen by nobody.", "says: Again.", "bash: make"]


def test_what_it_said_comes_before_its_agents_end() -> None:
    journal = Journal()
    journal.take(1.0, grew("I look at it."))
    journal.hear(2.0, AgentLost(what="pi ended, killed by SIGKILL", incarnation=1))
    assert said(journal) == ["says: I look at it.", "its agent ends: pi ended, killed by SIGKILL"]
