"""What can be recalled: differentiable external memories, one interface (`memory.base.Memory`)."""

from __future__ import annotations

from typing import Any

from memory.base import Memory, MemoryState, Watch, reset_rows
from memory.compile import compile_memory
from memory.dnc import DNC
from memory.episodic import Episodic
from memory.hopfield import Hopfield
from memory.none import NoMemory
from memory.ntm import NTM

MEMORIES: dict[str, type[Memory]] = {
    "none": NoMemory,
    "episodic": Episodic,
    "ntm": NTM,
    "dnc": DNC,
    "hopfield": Hopfield,
}
"""Every memory by its name."""


def make_memory(name: str, input_size: int, **options: Any) -> Memory:
    """A memory of `MEMORIES`.

    Args:
        name: its row.
        input_size: width of what it will be given.
        options: its keyword options (see its class).

    Raises:
        KeyError: for a name that is no row.
        TypeError: for an option it has not.
    """
    if name not in MEMORIES:
        raise KeyError(f"no memory {name!r}: choose one of {', '.join(MEMORIES)}")
    return MEMORIES[name](input_size, **options)


__all__ = ["MEMORIES", "Memory", "MemoryState", "Watch", "compile_memory", "make_memory", "reset_rows"]
