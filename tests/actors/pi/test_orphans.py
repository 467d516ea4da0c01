"""The reaper of orphans, in a process of its own: which of its children are orphans, and that they do not pile up."""

import subprocess
import sys

# What is begun here belongs to nobody but this program, which is the first of what it begins to end.
PROGRAM = """
import os, subprocess, sys, threading, time
from actors.pi.containment import processes
from actors.pi.orphans import become_reaper, bury_for_ever, kill_orphans

def until(condition):
    while not condition():
        time.sleep(0.005)

def mine():
    return {pid: state for pid, (state, parent, _) in processes().items() if parent == os.getpid()}

assert become_reaper()
lock = threading.Lock()
launched = set()
threading.Thread(target=bury_for_ever, args=(launched, lock), daemon=True).start()
with lock:
    agent = subprocess.Popen(["/bin/sleep", "300"], start_new_session=True)
    launched.add(agent.pid)
plain = subprocess.Popen(["/bin/sleep", "300"])
cut_loose = subprocess.Popen(["/bin/sh", "-c", "(setsid sleep 300 &) ; (setsid true &)"])
assert cut_loose.wait() == 0
until(lambda: len(mine()) == 3 and "Z" not in mine().values())
assert kill_orphans(launched) == 1
until(lambda: set(mine()) == {agent.pid, plain.pid})
assert agent.poll() is plain.poll() is None
agent.kill()
time.sleep(0.05)  # in which the other thread could take what is not its own
assert agent.wait() == -9
plain.kill()
assert plain.wait() == -9
print("well")
"""


def test_only_orphans_are_killed_and_buried() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("well\n", "")
