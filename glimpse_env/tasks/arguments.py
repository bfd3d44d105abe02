"""Checks of the arguments that several tasks have."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

CHOICES = {
    "order": ("random", "sequential"),
    "saccades": ("absolute", "relative"),
    "start": ("centre", "random"),
}
"""What an argument of this name may be."""


def check_choices(**arguments: Any) -> None:
    """See that arguments of these names are among their `CHOICES`.

    Raises:
        ValueError: where one is not.
    """
    for name, value in arguments.items():
        check_choice(name, value, CHOICES[name])


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """See that an argument is one of these words.

    Raises:
        ValueError: where it is not.
    """
    if value not in choices:
        *first, last = (f'"{choice}"' for choice in choices)
        raise ValueError(f"{name} must be {', '.join(first)} or {last}, got {value!r}")


def check_range(name: str, low: int, high: int, least: int = 1) -> None:
    """See that `min_name` and `max_name` are integers of at least `least`, in order.

    Raises:
        ValueError: where they are not.
    """
    if not (isinstance(low, Integral) and isinstance(high, Integral) and least <= low <= high):
        raise ValueError(
            f"min_{name} and max_{name} must be integers with {least} <= min_{name} <= max_{name}, got {low!r} and {high!r}"
        )


def checked_ends(name: str, value: Any, least: int = 1, most: int | None = None) -> tuple[int, int]:
    """The least and the most of something, of one integer or two in order.

    Raises:
        ValueError: for anything else, or one below `least` or above `most`.
    """
    both = (value, value) if isinstance(value, Integral) else value
    within = f"of at least {least}" if most is None else f"from {least} to {most}"
    problem = ValueError(f"{name} are one integer or two in order, {within}, got {value!r}")
    try:
        low, high = both
    except (TypeError, ValueError):
        raise problem from None
    if not (isinstance(low, Integral) and isinstance(high, Integral)):
        raise problem
    low, high = int(low), int(high)
    if not least <= low <= high or (most is not None and high > most):
        raise problem
    return low, high


def check_count(name: str, value: int, least: int = 1) -> None:
    """See that an argument is an integer of at least `least`.

    Raises:
        ValueError: where it is not.
    """
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def check_counts(least: int = 1, **arguments: int) -> None:
    """See that arguments are integers of at least `least`.

    Raises:
        ValueError: where one is not.
    """
    for name, value in arguments.items():
        check_count(name, value, least)


def check_same(what: str, **names: tuple[Sequence[str] | None, tuple[str, ...]]) -> None:
    """See that the names of a trained agent are those of a task that has no others.

    Args:
        what: has these names.
        **names: by argument, what is given for it (None is nothing), and what it has to be.

    Raises:
        ValueError: where they are not.
    """
    for name, (given, own) in names.items():
        if given is not None and tuple(given) != own:
            raise ValueError(f"{what} have one {name}: {name}= is that of another task")
