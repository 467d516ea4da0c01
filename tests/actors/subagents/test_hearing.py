"""Messages as facts; what follows from each is `test_life`'s."""

from actors.messages import AgentLost, AgentNoted, PromptRefused, Recalled, TurnTooLong
from actors.subagents.ground import Made
from actors.subagents.hearing import AgentEnded, hear
from actors.subagents.homes import HomeMade, WorkKept
from actors.subagents.life import Life
from actors.subagents.steps import Collect, End, EndAgent, Phase, Pull, SendRecall, StopChildren, TimeOut
from supervisor import Down
from tests.actors.subagents.playbook import ME, greeting, kinds, running, settled
from tests.actors.subagents.rows import PREPARING, sub


def test_what_becomes_of_the_workspace_is_a_fact() -> None:
    for message, phase in (
        (HomeMade(made=Made("copy")), Phase.READY),
        (HomeMade(error="no space"), Phase.CHILDREN),
        (HomeMade(gone=True), Phase.CHILDREN),
    ):
        life = Life()
        life.pulled(sub(ME, PREPARING), ())
        hear(life, message)
        assert life.phase is phase


def test_what_the_agent_says_is_a_fact() -> None:
    life = running()
    assert hear(life, TurnTooLong(turn=f"{ME}/1")) == [TimeOut()]
    assert hear(life, settled()) == [Pull()]
    life = running()
    refused = PromptRefused(turn=f"{ME}/1", incarnation=1, error="no")
    assert hear(life, refused) == [StopChildren()]


def test_its_end_is_a_fact_and_so_is_the_next_one() -> None:
    life = running()
    assert hear(life, AgentLost(incarnation=1, what="pi ended")) == []
    assert hear(life, Down(path="/a", incarnation=1, reason="boom", restarting=True)) == []
    assert life.agent is None
    assert hear(life, greeting(2)) == [Pull()]
    assert kinds(life.pulled(sub(ME, run=1, attempt=1, prompt="p"), ())) == ["Begin"]
    assert life.began(sub(ME, run=1, attempt=2, prompt="p")) == [SendRecall(f"{ME}/1", None)]
    recalled = Recalled(turn=f"{ME}/1", incarnation=2, entries=(), leaf=None)
    assert kinds(hear(life, recalled)) == ["SendPrompt"]


def test_what_the_last_helpers_did_is_a_fact() -> None:
    life = running()
    hear(life, settled())
    assert life.pulled(sub(ME, run=1, attempt=1), ()) == [EndAgent()]
    assert hear(life, AgentEnded()) == [Collect()]
    (end,) = hear(life, WorkKept(changes=None))
    assert isinstance(end, End)


def test_what_only_people_could_use_is_none() -> None:
    life = running()
    assert hear(life, AgentNoted(turn=f"{ME}/1", text="hm")) == []
