"""Which rung is taken, what is said of it, and the command lines that it makes."""

from signal import SIGKILL, SIGSEGV

import pytest

from actors.pi.ladder import (
    MIB,
    Limits,
    Probed,
    Rung,
    cgroup_of,
    choose,
    command,
    describe,
    ended,
    folder_name,
    oom_kills,
    summary,
    unkept,
)

UNSHARE = ("unshare", "--pid", "--")
ALL = Probed(
    cgroup="/cg", controllers=frozenset({"memory", "pids"}), namespace=UNSHARE, counts_processes=True, subreaper=True
)
NO_CGROUP = Probed(namespace=UNSHARE, counts_processes=True, subreaper=True, no_cgroup="it is not writable")
MARKS = Probed(subreaper=True, no_cgroup="there is none", no_namespace="it is forbidden")
PI = ("/bin/node", "cli.js", "--mode", "rpc")


def test_the_best_that_there_is_is_taken() -> None:
    assert [choose(probed) for probed in (ALL, NO_CGROUP, MARKS, Probed())] == [
        Rung.CGROUP,
        Rung.NAMESPACE,
        Rung.MARKS,
        Rung.MARKS,
    ]


@pytest.mark.parametrize(
    ("probed", "said", "unsaid"),
    [
        (ALL, ["a cgroup of its own", "memory and processes", "Not caught"], ["No cgroup", "hostile"]),
        (
            NO_CGROUP,
            ["pid namespace of its own", "each agent: processes", "No cgroup: it is not writable."],
            ["hostile"],
        ),
        (MARKS, ["Not kept against a hostile agent", "until no agent runs", "none can be set"], ["escapes"]),
        (MARKS, ["No cgroup: there is none.", "No pid namespace: it is forbidden."], []),
        (Probed(), ["Not kept against a hostile agent", "escapes"], ["until no agent runs"]),
    ],
)
def test_it_says_what_it_does_not_catch(probed: Probed, said: list[str], unsaid: list[str]) -> None:
    text = describe(probed)
    assert all(words in text for words in said)
    assert not any(words in text for words in unsaid)


def test_the_agent_enters_its_cgroup_before_it_begins() -> None:
    shell, _, script, folder, *rest = command(ALL, PI, cgroup="/cg/den-1", limits=Limits())
    assert (shell, folder, *rest) == ("/bin/sh", "/cg/den-1", *PI)
    assert script.endswith('echo 0 >"$0/cgroup.procs" && exec "$@"')


def test_in_a_namespace_a_shell_is_first_and_the_agent_is_its_child() -> None:
    made = command(NO_CGROUP, PI, limits=Limits(processes=200))
    assert made[:4] == (*UNSHARE, "prlimit")
    assert "--nproc=200" in made
    assert made[-len(PI) :] == PI
    assert "prlimit" not in command(NO_CGROUP, PI, limits=Limits())


def test_on_every_rung_the_service_is_the_last_that_the_kernel_kills() -> None:
    for probed in (ALL, NO_CGROUP, MARKS):
        assert any(
            "echo 500 >/proc/self/oom_score_adj" in word for word in command(probed, PI, cgroup="/c", limits=Limits())
        )


@pytest.mark.parametrize(
    ("returncode", "rung", "how"),
    [
        (0, Rung.NAMESPACE, (0, None)),
        (7, Rung.NAMESPACE, (7, None)),
        (137, Rung.NAMESPACE, (None, SIGKILL)),
        (139, Rung.NAMESPACE, (None, SIGSEGV)),
        (143, Rung.NAMESPACE, (143, None)),  # pi handles SIGTERM, and exits with this
        (255, Rung.NAMESPACE, (255, None)),
        (137, Rung.MARKS, (137, None)),
        (-9, Rung.CGROUP, (None, SIGKILL)),
        (-9, Rung.NAMESPACE, (None, SIGKILL)),
    ],
)
def test_the_shell_in_between_hides_no_signal(returncode: int, rung: Rung, how: tuple[int | None, int | None]) -> None:
    assert ended(returncode, told=rung is Rung.NAMESPACE) == how


@pytest.mark.parametrize("limits", [{"memory": MIB - 1}, {"processes": 0}])
def test_a_limit_under_which_nothing_starts_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="limit of"):
        Limits(**limits)


def test_a_folder_name_is_safe_and_of_one_launch() -> None:
    assert folder_name("../a b", "house-run-0123456789") == "___a_b-01234567"
    assert len(folder_name("x" * 500, "0123456789")) < 80


MOUNTS = "25 1 0:22 / /proc rw - proc proc rw\n34 30 0:29 {root} {place} rw,relatime - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("root", "place", "own", "folder"),
    [
        ("/", "/sys/fs/cgroup", "0::/system.slice/d.service\n", "/sys/fs/cgroup/system.slice/d.service"),
        ("/", "/sys/fs/cgroup", "0::/\n", "/sys/fs/cgroup"),
        ("/", "/sys/fs/cgroup/unified", "4:memory:/x\n0::/y\n", "/sys/fs/cgroup/unified/y"),
        ("/pod", "/sys/fs/cgroup", "0::/pod/me\n", "/sys/fs/cgroup/me"),
        ("/pod", "/sys/fs/cgroup", "0::/pods/me\n", None),
        ("/", "/sys/fs/cgroup", "4:memory:/x\n", None),
    ],
)
def test_the_own_cgroup_is_found_where_it_is_mounted(root: str, place: str, own: str, folder: str | None) -> None:
    assert cgroup_of(MOUNTS.format(root=root, place=place), own) == folder


def test_no_cgroup_v2_is_none() -> None:
    assert cgroup_of("25 1 0:22 / /proc rw - proc proc rw\n", "0::/\n") is None


def test_what_the_kernel_killed_is_read() -> None:
    assert oom_kills("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n") == 3
    assert oom_kills("") == 0


@pytest.mark.parametrize(
    ("probed", "line"),
    [
        (
            Probed(cgroup="/c", controllers=frozenset({"memory", "pids"})),
            "a cgroup for each agent; not caught: what leaves it, what other services start; "
            "limits: memory and processes",
        ),
        (
            Probed(namespace=("unshare",)),
            "a pid namespace for each agent; not caught: what other services start; limits: none",
        ),
        (
            Probed(),
            "marks in the environment only; not caught: what clears it, what other services start; limits: none",
        ),
    ],
)
def test_a_line_for_the_tree(probed: Probed, line: str) -> None:
    assert summary(probed) == line


def test_a_limit_that_cannot_be_kept_is_named_with_the_mend() -> None:
    both = Limits(memory=MIB, processes=100)
    assert unkept(Probed(), Limits()) == ""
    assert unkept(Probed(cgroup="/c", controllers=frozenset({"memory", "pids"})), both) == ""
    assert unkept(Probed(cgroup="/c", controllers=frozenset({"pids"})), both).startswith("memory_max under [pi] cannot")
    assert unkept(Probed(namespace=("unshare",), counts_processes=True), both).startswith("memory_max under")
    assert unkept(Probed(), both).startswith("memory_max and processes_max under [pi] cannot be kept here")
    assert "Delegate=yes" in unkept(Probed(), both)
