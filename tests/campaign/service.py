"""Starts the real service with a lesser containment than there could be: `python -m tests.campaign.service`.

The variable CAMPAIGN_RUNG names the rung: `namespace`, `marks`, or nothing for the best. BENCH_PI and BENCH_NODE, if
they are there, name another program for pi, as in the bench.
"""

import os
import sys

import msgspec

from actors import service
from actors.pi.ladder import Probed
from actors.pi.probe import probe
from tests.bench.telegram_service import installation

RUNGS = ("cgroup", "namespace", "marks")
"""From the best one down."""


def lesser(rung: str, found: Probed) -> Probed:
    """What was found, but for the rungs above this one."""
    if rung in RUNGS[1:]:
        found = msgspec.structs.replace(found, cgroup=None, no_cgroup="it is not to be used here")
    if rung in RUNGS[2:]:
        found = msgspec.structs.replace(found, namespace=None, no_namespace="it is not to be used here")
    return found


if __name__ == "__main__":
    if "BENCH_PI" in os.environ:
        vars(service)["locate"] = installation
    vars(service)["probe"] = lambda: lesser(os.environ.get("CAMPAIGN_RUNG", ""), probe())
    sys.exit(service.main(["run"]))
