"""How far something is: a bar on a terminal, and elsewhere, as in a log file, a line a minute."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 60.0
"""Between two lines."""

LINE = "{desc}{percentage:.0f}%, {n_fmt}/{total_fmt}{unit} in {elapsed}, {remaining} left, {rate_fmt}"


class Progress(tqdm):
    """tqdm's bar on a terminal, and lines where standard error is none; the arguments are tqdm's.

    The time is that of a clock which never jumps. That nobody can read what is printed, as in a terminal that was
    closed, is no error.
    """

    leave: bool | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.by_lines = not sys.stderr.isatty()
        if self.by_lines:
            kwargs |= {"mininterval": LINE_SECONDS, "maxinterval": LINE_SECONDS, "miniters": 1, "delay": 1e-9}
            kwargs |= {"bar_format": LINE, "dynamic_ncols": False}
        super().__init__(*args, **kwargs)
        if not self.disable:
            self._time = time.monotonic  # tqdm's is the wall clock
            self.start_t = self.last_print_t = self._time()

    def write(self, text: str) -> None:
        """Print a line to standard output."""
        with suppress(OSError):
            if self.by_lines or self.disable:
                print(text, flush=True)
            else:
                super().write(text)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Show `msg`, or how far it is."""
        with suppress(OSError):
            if not self.by_lines:
                return super().display(msg, pos)
            if msg != "":
                print(msg or self, file=self.fp, flush=True)
        return True

    def clear(self, *args: Any, **kwargs: Any) -> None:
        """Take the bar away, for other lines; a line stays."""
        if not self.by_lines:
            with suppress(OSError):
                super().clear(*args, **kwargs)

    def close(self) -> None:
        """Show how far it came, and end."""
        if not getattr(self, "disable", True) and self.by_lines:
            if self.leave and self.n > self.last_print_n:
                self.display()
            self.sp = None  # by which tqdm would end the line of a bar
        with suppress(OSError):
            super().close()
