"""Signals that ask a training to end: it ends between two updates, with its state saved, never within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, a request to end (of `kill`, a scheduler, the system), and a terminal that was closed. Windows has no
SIGHUP."""


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """A function that tells whether one of `SIGNALS` came. Until the end of the context, none of them does more."""
    came: list[int] = []
    before = set_handler(lambda number, _: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def set_handler(handler: Any) -> dict[int, Any]:
    """Give each of `SIGNALS` this handler.

    A signal that is ignored, as by `nohup`, stays ignored. Only a main thread may handle signals: in others, nothing
    changes.

    Returns:
        The earlier handler of each signal that has another one now.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: earlier for number, earlier in before.items() if earlier not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, handler)
    return before
