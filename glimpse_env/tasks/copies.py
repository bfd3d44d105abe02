"""Copies of a task: one in the same process is the task itself, one in another process is made anew."""

from __future__ import annotations

import functools
import os
from typing import Any, ClassVar, Self

from array_api_compat import is_array_api_obj
from gymnasium import spaces

from glimpse_env.backend import Backend, as_numpy
from glimpse_env.digest import digest_of


class Remade:
    """An object that nothing changes after it was made: its copies share it, and a pickle holds its arguments alone.

    Attributes:
        arguments: the keyword arguments it was made with.
    """

    arguments: dict[str, Any]
    paths: ClassVar[tuple[str, ...]]
    observation_space: spaces.Dict
    action_space: spaces.Dict
    _positional: tuple[Any, ...]

    def __new__(cls, backend: Backend, *positional: Any, **named: Any) -> Self:
        """Keep the arguments."""
        made = super().__new__(cls)
        made._positional, made.arguments = (backend, *positional), named
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        paths = {key: _absolute(self.arguments[key]) for key in self.paths if key in self.arguments}
        return _make_again, (type(self), self._positional, self.arguments | paths, self.fingerprint)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash that tells apart tasks of differing class, spaces, settings or data, wherever these data lie and
        whatever the backend."""
        parts: list[Any] = [type(self).__qualname__, self.observation_space, self.action_space, self.digest()]
        for name, part in sorted(vars(self).items()):
            if is_array_api_obj(part):
                parts += [name, as_numpy(part)]
            elif _is_plain(part) and name != "source":
                parts.append((name, part))
        return digest_of(*parts)

    def digest(self) -> str:
        """A hash of the data that the episodes show; "" where they are made up."""
        return ""


def _is_plain(value: Any) -> bool:
    """Whether it is a number, a text, or a tuple of such: of the same `repr` everywhere."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _absolute(value: Any) -> Any:
    """A path, or a list of paths, that names the same in other folders; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [_absolute(part) for part in value]
    return os.path.abspath(value) if isinstance(value, (str, os.PathLike)) else value


def _make_again(kind: type[Remade], positional: tuple[Any, ...], named: dict[str, Any], fingerprint: str) -> Remade:
    """What was pickled.

    Raises:
        ValueError: where the same arguments make another one here, because the data they name has changed.
    """
    made = kind(*positional, **named)
    if made.fingerprint != fingerprint:
        raise ValueError(
            f"{kind.__name__} was pickled with other data, or another version of it, than its arguments name here: "
            "bring the same data (GLIMPSE_DATA, or the path), or make the environment anew"
        )
    return made
