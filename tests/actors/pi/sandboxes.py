"""Sandboxes for tests: whether this machine lets anybody make one, and one around any program."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from actors.pi import bwrap
from actors.pi.installation import Installation, locate
from actors.pi.process import LaunchSpec
from actors.pi.sandbox import LAYERS, Bubblewrap, Needs, Sandbox, enclose, surroundings


def lacking() -> str:
    """Why there can be no sandbox here, whatever we do; empty if there can be one."""
    program = shutil.which("bwrap", path=f"{os.environ.get('PATH', '')}:/usr/bin")
    if program is None:
        return "bubblewrap is not installed here (apt-get install bubblewrap)"
    plain = [program, "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    tried = subprocess.run(plain, capture_output=True, text=True, timeout=10, check=False)
    return f"this kernel refuses bubblewrap a sandbox: {tried.stderr.strip()}" if tried.returncode else ""


LACKING = lacking()
in_a_sandbox = pytest.mark.skipif(bool(LACKING), reason=LACKING)
"""For tests that need one. Where there can be one ours must work: it is not what decides."""


def found(place: Path) -> Bubblewrap:
    """bubblewrap, as the service finds it."""
    looked = bwrap.look(dict(os.environ), place, locate())
    assert looked.program is not None, looked.reason
    return looked


def python() -> tuple[str, ...]:
    """What Python needs of the disk."""
    here = Path(__file__).parents[3]
    return tuple({sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(here)})


def enclosed(spec: LaunchSpec, folder: Path, how: Bubblewrap, *visible: str) -> LaunchSpec:
    """The same, started in a sandbox that works below `folder`."""
    for name in ("work", "tmp/home", "session", "agent"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sandbox = Sandbox(temporary=str(folder / "tmp"), bwrap=how.program, visible=visible)
    installation: Installation = locate()
    needs = Needs(
        programs=installation.programs,
        cache=str(folder / "cache"),
        agent_dir=str(folder / "agent"),
        session=str(folder / "session"),
    )
    work = str(folder / "work")
    argv = enclose(spec.argv, sandbox, needs, spec.env, how, cwd=work)
    return msgspec.structs.replace(spec, argv=argv, env=surroundings(spec.env, sandbox, how), cwd=work, layers=LAYERS)
