"""Hints for misspelt names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is none of those known: ": did you mean cluttered?", or "" where none is like it."""
    close = difflib.get_close_matches(name, list(known))
    return f": did you mean {' or '.join(close)}?" if close else ""


def nearest_file(path: Path) -> str:
    """The same for a file or folder that is not there, of those beside it."""
    return nearest(path.name, (other.name for other in path.parent.iterdir()) if path.parent.is_dir() else ())


@contextmanager
def refusing_arguments(taker: type) -> Iterator[None]:
    """A block that calls the class `taker` with arguments which a user chose.

    Raises:
        ValueError: for a keyword argument that the class does not take, with those of its own that are most like it;
            or for one that is missing. Any other TypeError is passed on.
    """
    try:
        yield
    except TypeError as error:
        if re.search(r"__init__\(\) missing \d+ required", str(error)):
            raise ValueError(str(error)) from error
        refused = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        known: set[str] = set()
        for code in (getattr(vars(base).get("__init__"), "__code__", None) for base in taker.__mro__):
            known.update(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount] if code else ())
        if refused is None or refused[1] in known:
            raise
        hint = nearest(refused[1], sorted(known))
        raise ValueError(f"{taker.__name__} takes no argument {refused[1]!r}{hint}") from error
