"""Options as text, `name=value`: for a command line, and for what only the thing itself knows to check."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import NoneType

Option = int | float | bool | str | tuple[int, ...] | None


def parse_options(texts: Iterable[str]) -> dict[str, Option]:
    """`("slots=64", "time=age", "gate=False")` to `{"slots": 64, "time": "age", "gate": False}`.

    `"patch=(80, 136)"` is a tuple of integers, and `"overview=None"` is None.

    Raises:
        ValueError: for a text without a name or a value, or a name given twice.
    """
    options: dict[str, Option] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"an option is name=value, such as slots=64; got {text!r}")
        if name in options:
            raise ValueError(f"the option {name!r} is given twice")
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parsed = value
        numbers = isinstance(parsed, tuple) and all(type(part) is int for part in parsed)
        options[name] = parsed if numbers or isinstance(parsed, (int, float, bool, NoneType)) else value
    return options


def format_options(options: dict[str, Option]) -> tuple[str, ...]:
    """The inverse of `parse_options`."""
    return tuple(f"{name}={value}" for name, value in options.items())
