"""`torch.compile` for a memory's step."""

from __future__ import annotations

import os
import shutil
import sys

import torch

from memory.base import Memory


def compile_memory(memory: Memory) -> Memory:
    """Compile `forward` of a memory in place; the first steps of each shape take a while, up to a minute.

    The numbers are the same up to rounding, and the names of the weights stay. `unroll` of a memory without a loop over
    time (`Episodic`, `Hopfield`) is not compiled.

    Returns:
        The memory itself.

    Raises:
        ValueError: where there is neither a GPU nor a C++ compiler.
    """
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if not torch.cuda.is_available() and shutil.which(compiler) is None:
        raise ValueError(
            f"torch.compile needs a C++ compiler, and there is no {compiler}: install one "
            "(apt-get install g++, or xcode-select --install), or name yours in the environment variable CXX"
        )
    memory.compile()
    return memory
