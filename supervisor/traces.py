"""A failure's traceback as text, made fast enough to be made at every crash.

Pure. Without the source lines and markers of the standard library's, which cost ten times as much: path, line and
function say where, and the source is where they point.
"""

from types import TracebackType
from typing import Final

from supervisor.errors import kind_and_text

KEPT: Final = 8000
"""How much of it is kept, in characters; its end says the most."""
_MAX_LINKS: Final = 8
_MAX_FRAMES: Final = 64
_MAX_MEMBERS: Final = 8
_GROUP_DEPTH: Final = 4
_RUNTIME: Final = __file__.removesuffix("traces.py")


def trace_of(error: BaseException) -> str:
    """The frames and the text of an error and of what led to it, oldest first. Does not raise."""
    return "\n".join(_lines(error, 0))[-KEPT:]


def _lines(error: BaseException, depth: int) -> list[str]:
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and depth < _MAX_LINKS:
        lines += [*_lines(before, depth + 1), "which led to"]
    lines += _frames(error.__traceback__)
    lines += [kind_and_text(error), *getattr(error, "__notes__", ())]
    if isinstance(error, BaseExceptionGroup) and depth < _MAX_LINKS:
        for member in error.exceptions[:_MAX_MEMBERS]:
            lines += ["of which", *_lines(member, depth + _GROUP_DEPTH)]  # at most 8 times 8 members
    return lines


def _frames(trace: TracebackType | None) -> list[str]:
    """Oldest first, without those of the runtime that lead to an actor's own code: they are always the same."""
    frames = []
    own = trace
    while own is not None and own.tb_frame.f_code.co_filename.startswith(_RUNTIME):
        own = own.tb_next
    trace = own or trace
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"  {code.co_filename}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return frames[-_MAX_FRAMES:]
