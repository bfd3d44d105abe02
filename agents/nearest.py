"""Hints for misspelt names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is none of those known: ": did you mean cluttered?", or "" where none is like it."""
    close = difflib.get_close_matches(name, list(known))
    return f": did you mean {' or '.join(close)}?" if close else ""


def nearest_file(path: Path) -> str:
    """The same for a file or folder that is not there, of those beside it."""
    return nearest(path.name, (other.name for other in path.parent.iterdir()) if path.parent.is_dir() else ())


def refused_argument(error: TypeError, taker: type) -> str:
    """What the error of a call of the class `taker` says; of a keyword argument that it does not take, with those of
    its own that are most like it."""
    refused = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if refused is None:
        return str(error)
    known: set[str] = set()
    for code in (getattr(vars(base).get("__init__"), "__code__", None) for base in taker.__mro__):
        known.update(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount] if code else ())
    return f"{taker.__name__} takes no argument {refused[1]!r}{nearest(refused[1], sorted(known))}"
