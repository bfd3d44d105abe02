"""The scripts that people start, `python -m runs.…`, and what they need."""

import os
import signal
import sys
from typing import Any


def _end(*_: Any) -> None:
    if "RANK" not in os.environ:  # what started several processes says it
        os.write(2, b"\ninterrupted\n")
    os._exit(130)


# A script starts. Its imports take seconds, and within them Ctrl-C would end in a traceback: until
# `runs.command_line` takes over there is nothing to clean up.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)
