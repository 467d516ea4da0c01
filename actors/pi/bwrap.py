"""Whether bubblewrap works here: looked for and tried once, before the service starts.

Used by the entry point; `sandbox` decides what it is run with. It blocks, for some 100 ms, and for at most a few
seconds where it hangs.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from actors.errors import ConfigurationError
from actors.pi.installation import Installation
from actors.pi.sandbox import SYSTEM, Bubblewrap, Needs, Sandbox, enclose, surroundings
from actors.settings import Settings

TRIAL_DEADLINE: Final = 5.0
"""Seconds for one trial."""
_FOLDER: Final = "trial"
_PLACES: Final = "/usr/local/bin:/usr/bin:/bin"
_VERSIONED: Final = ("java-*/security", "java-*/*.cfg", "java-*/*.properties", "python3.*")
"""What programs need of /etc under a name that depends on their version."""
_MEND: Final = 'install the package bubblewrap, or allow user namespaces, or set sandbox = "none" or "auto"'
# Another room's file is not there, its own place can be written and nothing else, and pi's Node runs.
_TRIAL: Final = """
test ! -e "$2" || { echo "it hides nothing"; exit 1; }
test $$ -lt 20 || { echo "processes of the machine are seen in it"; exit 1; }
! touch /usr/made 2>/dev/null || { echo "the system can be changed in it"; exit 1; }
touch made && "$1" --version >/dev/null
"""


def choose(settings: Settings, environ: Mapping[str, str], installation: Installation) -> Bubblewrap:
    """What `[subagents] sandbox` comes to here. `environ`: as agents may see it.

    Raises ConfigurationError if it must work and does not.
    """
    wanted = settings.subagents.sandbox
    if wanted == "none":
        return Bubblewrap(reason='[subagents] sandbox is "none"')
    visible = tuple(sorted(map(str, settings.subagents.visible)))
    home = environ.get("HOME")
    found = look(environ, settings.paths.state_dir, installation, visible=visible, hidden=hidden(settings, home))
    if found.program is None and wanted == "bwrap":
        raise ConfigurationError(f'[subagents] sandbox is "bwrap", and {found.reason}; {_MEND}.')
    return found


def hidden(settings: Settings, home: str | None) -> tuple[str, ...]:
    """The folders that no sandboxed agent may see, should they lie beside programs that it must see."""
    paths = settings.paths
    files = (paths.config_file, settings.telegram.bot_token_file, settings.pi.api_key_file)
    folders = [paths.state_dir, paths.runtime_dir, paths.workspaces, paths.agent_dir]
    folders += [project.path for project in settings.projects.values()]
    folders += [file.parent for file in files if file is not None]
    folders += [Path(home)] if home else []
    folders += [folder.resolve() for folder in folders]
    return tuple(dict.fromkeys(str(folder) for folder in folders if folder.is_absolute() and folder.is_dir()))


def look(
    environ: Mapping[str, str],
    place: Path,
    installation: Installation,
    *,
    visible: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
) -> Bubblewrap:
    """Find it and try it. `place`: a folder for the trial; `visible`, `hidden`: as `Bubblewrap` has them.

    Raises nothing: what cannot be tried does not work, and `reason` says why, as a clause.
    """
    named = shutil.which("bwrap", path=f"{environ.get('PATH', '')}:{_PLACES}")
    if named is None:
        return Bubblewrap(reason="bubblewrap (the program bwrap) is not installed")
    program, reasons = os.path.abspath(named), []
    versioned = sorted(str(path) for pattern in _VERSIONED for path in Path("/etc").glob(pattern))
    shown = tuple(dict.fromkeys((*versioned, *visible)))
    real = {path: os.path.realpath(path) for path in SYSTEM}
    links = {path: os.path.relpath(at, os.path.dirname(path)) for path, at in real.items() if _leads_into_usr(path, at)}
    for user in (True, False):
        found = Bubblewrap(program=program, user=user, links=links, visible=shown, hidden=hidden, reason="")
        why = _try(found, environ, place, installation)
        if why is None:
            return found
        reasons.append(why)
    return Bubblewrap(reason=f"bubblewrap does not work here: {reasons[0]}")


def _leads_into_usr(path: str, at: str) -> bool:
    return at != path and at.startswith("/usr/")


def _try(found: Bubblewrap, environ: Mapping[str, str], place: Path, installation: Installation) -> str | None:
    """None if a sandbox like an agent's works; else why not."""
    folder = place.resolve() / _FOLDER
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of a service that was killed meanwhile
        for name in ("work", "tmp/home", "session", "agent", "other"):
            (folder / name).mkdir(parents=True)
        return _run(found, environ, folder, installation)
    except OSError as error:
        return f"a folder for its trial cannot be made in {place} ({error.strerror})"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(found: Bubblewrap, environ: Mapping[str, str], folder: Path, installation: Installation) -> str | None:
    assert found.program is not None
    sandbox = Sandbox(temporary=str(folder / "tmp"), bwrap=found.program)
    needs = Needs(
        programs=installation.programs,
        cache=str(folder / "cache"),
        agent_dir=str(folder / "agent"),
        session=str(folder / "session"),
    )
    command = ("/bin/sh", "-c", _TRIAL, "sh", str(installation.node), str(folder / "other"))
    try:
        done = subprocess.run(
            enclose(command, sandbox, needs, environ, found, cwd=str(folder / "work")),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_DEADLINE,
            check=False,
            cwd="/",
            env=surroundings(environ, sandbox, found),
        )
    except OSError as error:
        return f"it cannot be run ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"it has not ended after {TRIAL_DEADLINE:g} s"
    if done.returncode == 0 and (folder / "work/made").exists():
        return None
    said = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines()
    return said[-1].removeprefix("bwrap: ") if said else f"it ended with code {done.returncode}"
