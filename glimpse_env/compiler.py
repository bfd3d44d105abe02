"""How the loops over pixels are compiled: by Numba, each for one signature, and once for all processes.

A loop is compiled when its module is imported, so never in the middle of an episode. Numba keeps what it compiled in
the package's `__pycache__`, in the user's cache, or in the folder that NUMBA_CACHE_DIR names. Where it can write to
none of them, or cannot read what is there, each process compiles for itself: the numbers are the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.errors import NumbaError

from glimpse_env.locks import exclusive
from glimpse_env.notices import say_once

part = numba.njit(nogil=True)
"""Compiles a function that loops call: it becomes a part of each of them, and of what is cached of them."""


def loop(signature: Any) -> Callable[[Callable[..., None]], Any]:
    """Compile a function for arguments of one signature, or take it from the cache; for others it raises TypeError."""

    def compile_(function: Callable[..., None]) -> Any:
        try:
            compiled = numba.njit(nogil=True, cache=True)(function)
        except RuntimeError:  # Numba finds no folder that it can write to
            say_once(
                "Compiled code cannot be kept: every process compiles it anew. Set NUMBA_CACHE_DIR to a folder that "
                "can be written."
            )
            return _compile(numba.njit(nogil=True)(function), signature)
        folder = Path(str(compiled.stats.cache_path))
        with exclusive(folder):  # the others wait, and then find it in the cache
            try:
                return _compile(compiled, signature)
            except NumbaError:
                raise
            except Exception as error:  # whatever a full disk or a damaged file leads to
                reason = getattr(error, "strerror", None) or type(error).__name__
                say_once(
                    f"The cache of compiled code in {folder} cannot be used ({reason}): every process compiles it "
                    "anew. Make room there, or delete its files *.nbi and *.nbc."
                )
                return _compile(numba.njit(nogil=True)(function), signature)

    return compile_


def _compile(compiled: Any, signature: Any) -> Any:
    with _announced():
        compiled.compile(signature)
    compiled.disable_compile()
    return compiled


@contextlib.contextmanager
def _announced() -> Iterator[None]:
    """Say that Numba compiles, if it does so within this block: it may find all in its cache."""
    with event.install_listener("numba:compile", _Announcer()):
        yield


class _Announcer(event.Listener):
    def on_start(self, event: Any) -> None:
        say_once("Compiling the loops over pixels: some seconds, and no more once Numba's cache has them.")

    def on_end(self, event: Any) -> None:
        pass
