"""What the numbers of words and answers stand for: the classes of images, the vocabulary of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def names_of(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the numbers of words and answers of an environment stand for; {} where it does not tell."""
    names = metadata.get("names")
    return {key: list(value) for key, value in names.items()} if isinstance(names, Mapping) else {}


def names_in(values: dict[str, Any]) -> dict[str, list[str]]:
    """What the numbers of words and answers stand for, of a loaded checkpoint: arguments of the environment's task.

    Files from before the classes of images were kept call it "words".
    """
    return values.get("names", values.get("words")) or {}


def differences(trained: dict[str, list[str]], found: dict[str, list[str]]) -> str:
    """In words, how the names that an agent was trained with differ from those that are found now."""
    for key in sorted({*trained, *found}):
        old, new = trained.get(key, []), found.get(key, [])
        if old != new:
            gone, added = ([name for name in a if name not in b] for a, b in ((old, new), (new, old)))
            changes = (("lacking now:", gone), ("new:", added))
            lists = [f"{word} {', '.join(some[:9])}" for word, some in changes if some]
            return f"was trained with other {key} than are found now ({'; '.join(lists) or 'in another order'})"
    return "has the same names"
