"""What an agent observes and does, part by part, read off an environment's spaces and metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from torch import Tensor

Observation = Mapping[str, Tensor]
"""The parts of an observation by name, (N, …) each."""


class PartSpec(NamedTuple):
    """One part of an observation or of an action, as plain types.

    Attributes:
        role: what it is, such as "glimpse", "place", "tokens"; see `ENCODERS` and `HEADS` for what is known.
        shape: of one value.
        sizes: of "tokens" (words of the vocabulary,), of "count" (the largest,), of "class" and "classes" how many
            there are of each; else empty.
        cell: of "glimpse", width and height of a cell of its finest patch, in the unit of places; empty where that is
            not known.
    """

    role: str
    shape: tuple[int, ...]
    sizes: tuple[int, ...] = ()
    cell: tuple[float, ...] = ()

    @property
    def values(self) -> int:
        """Number of values in one."""
        return math.prod(self.shape)


Parts = dict[str, PartSpec]


class EnvSpec(NamedTuple):
    """An environment as an agent meets it, as plain types, so that a checkpoint can hold it.

    Attributes:
        observation: the parts of an observation by name.
        action: the parts of an action by name. The part called "answer" is the one that `info["target"]` is about.
    """

    observation: Parts
    action: Parts

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {
            side: {name: [part.role, *map(list, part[1:])] for name, part in parts.items()}
            for side, parts in self._asdict().items()
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> EnvSpec:
        """The inverse of `to_dict`."""
        sides = (
            {name: PartSpec(role, *map(tuple, rest)) for name, (role, *rest) in side.items()}
            for side in values.values()
        )
        return EnvSpec(*sides)

    def fits(self, other: EnvSpec) -> bool:
        """Whether an agent made for this environment can be used in the other: counts may have other limits, canvases
        other sizes, and overviews other numbers of cells (`agents.loading.resized`)."""
        return self._without_limits() == other._without_limits()

    def resized(self, other: EnvSpec) -> EnvSpec:
        """This spec with the sizes of another's canvases and overviews."""

        def like(part: PartSpec, found: PartSpec) -> PartSpec:
            part = part._replace(shape=found.shape) if part.role == "overview" else part
            return part._replace(cell=found.cell) if part.cell else part

        return self._replace(
            observation={name: like(part, other.observation.get(name, part)) for name, part in self.observation.items()}
        )

    def named(self, role: str) -> str | None:
        """The name of the first part of the observation that has this role; None where there is none."""
        return next((name for name, part in self.observation.items() if part.role == role), None)

    def without(self, names: tuple[str, ...]) -> EnvSpec:
        """The same without these parts of the observation."""
        return self._replace(observation={name: part for name, part in self.observation.items() if name not in names})

    def only(self, names: tuple[str, ...]) -> EnvSpec:
        """The same with these parts of the observation alone.

        Raises:
            ValueError: for a name that no part has.
        """
        for name in names:
            if name not in self.observation:
                raise ValueError(f"the observation has no part {name!r}; it has {', '.join(self.observation)}")
        return self._replace(observation={name: self.observation[name] for name in names})

    def _without_limits(self) -> EnvSpec:
        def without(part: PartSpec) -> PartSpec:
            part = part._replace(cell=(), sizes=() if part.role == "count" else part.sizes)
            return part._replace(shape=part.shape[:1]) if part.role == "overview" else part

        return self._replace(observation={name: without(part) for name, part in self.observation.items()})


def spec_of(env: Any) -> EnvSpec:
    """The spec of a single or vector environment.

    Args:
        env: with flat `Dict` spaces, and the roles of their parts in `metadata["roles"]` and
            `metadata["action_roles"]`.
            A part of no given role has one by its space: "values" for a `Box` that is observed, and for actions
            "motion" (`Box`), "class" (`Discrete`), "classes" (`MultiDiscrete`), "bits" (`MultiBinary`).

    Raises:
        ValueError: for spaces that are no `Dict`, or a part whose role is not known, by its name.
    """
    seen = getattr(env, "single_observation_space", None) or env.observation_space
    done = getattr(env, "single_action_space", None) or env.action_space
    for side, space in (("observation", seen), ("action", done)):
        if not isinstance(space, spaces.Dict):
            raise ValueError(
                f"the {side} space must be a Dict of named parts, got {space}: wrap it in agents.ExternalEnv"
            )
    return EnvSpec(
        _parts(seen, env.metadata, "roles", {spaces.Box: "values"}, "observation"),
        _parts(done, env.metadata, "action_roles", ACTION_ROLES, "action"),
    )


ACTION_ROLES: dict[type[spaces.Space], str] = {
    spaces.Box: "motion",
    spaces.Discrete: "class",
    spaces.MultiDiscrete: "classes",
    spaces.MultiBinary: "bits",
}
"""The roles of parts of an action whose environment gives none."""


def _parts(
    space: spaces.Dict, metadata: dict[str, Any], key: str, by_space: dict[type[spaces.Space], str], side: str
) -> Parts:
    parts, roles = {}, metadata.get(key, {})
    for name, part in space.spaces.items():
        role = roles.get(name) or by_space.get(type(part))
        if role is None:
            raise ValueError(
                f"the {side}'s part {name!r} ({part}) has no role: name one in metadata, or wrap the environment in "
                "agents.ExternalEnv"
            )
        cell = tuple(metadata.get("glimpse_cell", ())) if role == "glimpse" else ()
        parts[name] = PartSpec(role, tuple(part.shape or ()), _sizes(role, part), cell)
    return parts


def _sizes(role: str, space: Any) -> tuple[int, ...]:
    if np.any(getattr(space, "start", 0)):
        raise ValueError(f"answers are numbered from 0, and {space} begins elsewhere: wrap it in agents.ExternalEnv")
    if role == "motion" and space.is_bounded("both") and not (np.all(space.low == -1) and np.all(space.high == 1)):
        raise ValueError(f"a motion is in [-1, 1] or has no bounds, and {space} is not: wrap it in agents.ExternalEnv")
    if role == "tokens":
        return (int(space.nvec.max()) if isinstance(space, spaces.MultiDiscrete) else int(space.high.max()) + 1,)
    if isinstance(space, spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, spaces.MultiDiscrete):
        return tuple(int(n) for n in np.ravel(space.nvec))
    return (int(space.high.max()),) if role == "count" else ()
