"""The encoders as a features extractor of Stable-Baselines3."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from agents.config import AgentConfig
from agents.encoders import Encoders
from agents.spec import spec_of

try:
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("agents.sb3 needs Stable-Baselines3: pip install -e '.[sb3]'") from error

EXACT = 2**24
"""Stable-Baselines3 converts every observation to float32, which holds all integers up to this one."""

ROLES = {
    "location": "place",
    "time": "clock",
    "overview": "overview",
    "periphery": "bag",
    "lines": "count",
    "count": "count",
    "bits": "bits",
    "feedback": "bits",
    "label": "bits",
}

WORDS = ("tokens", "question", "around")

DIMENSIONS = {"glimpse": 4, "overview": 3, "periphery": 2}
"""Of one frame, by the name of a part; 1 of the others."""


def role_of(name: str, space: gym.Space) -> str:
    """The role of a part of a bare observation space, by its name and shape as in Glimpse's ids; else "values"."""
    if name == "glimpse" and len(space.shape or ()) == 4:
        return "glimpse"
    if name in WORDS and (np.issubdtype(space.dtype, np.integer) or len(space.shape or ()) == 2):
        return "around" if name == "around" else "tokens"
    return ROLES.get(name, "values")


class GlimpseFeatures(BaseFeaturesExtractor):
    """The agent's encoders (`agents.encoders`) in front of a policy; place and clock are given as they are, too.

    As `policy_kwargs={"features_extractor_class": GlimpseFeatures}` of `MultiInputPolicy` or `MultiInputLstmPolicy`.

    Args:
        observation_space: a `Dict`, of a Glimpse environment or of any other; parts get their roles by `role_of`.
        width: of the encoded observation. Rows of bits keep their own.
        encoder: of lines: "bag", or "attention" over their words.
        frames: how many frames are stacked, by Gymnasium's `FrameStackObservation` (along a first dimension of their
            own) or by `VecFrameStack` (along the last; it takes no ids of words, but rows of 0 and 1 from
            `VectorOneHotObservation`). Each is encoded alike, and the features are side by side, the oldest first.

    Raises:
        ValueError: for an observation without an encoder or of another number of frames, or more words than float32
            can distinguish.
    """

    def __init__(self, observation_space: gym.Space, width: int = 256, encoder: Any = "bag", frames: int = 1) -> None:
        if not isinstance(observation_space, spaces.Dict):
            raise ValueError(f"the observation space must be a Dict of named parts, got {observation_space}")
        stack = Frames.of(observation_space, frames)
        shown = {name: _encoded(name, stack.single(name, part)) for name, part in observation_space.items()}
        roles = {name: role_of(name, part) for name, part in shown.items()}
        bare = {"observation_space": spaces.Dict(shown), "action_space": spaces.Dict(), "metadata": {"roles": roles}}
        spec, config = spec_of(SimpleNamespace(**bare)), AgentConfig(width=width, encoder=encoder)
        if any(size > EXACT for part in spec.observation.values() for size in part.sizes):
            raise ValueError(f"Stable-Baselines3 can distinguish {EXACT:,} words, and there are more")
        encoded = (
            spec if {"bag", "around"} & set(roles.values()) else spec.without(config.ignore)
        )  # hidden texts need the time
        encoders = Encoders(encoded.observation, config)
        extras = [name for name, role in roles.items() if role in ("place", "clock")]
        one = encoders.width + sum(spec.observation[name].values for name in extras)
        super().__init__(observation_space, frames * one)
        self.encoders, self.extras, self.stack = encoders, extras, stack
        self.words = {name: observation_space[name] for name, role in roles.items() if role in ("tokens", "around")}

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """(N, features), of observations (N, …) float32, as Stable-Baselines3 makes them all."""
        seen = {name: self.stack.apart(value) for name, value in observations.items()}
        for name, space in self.words.items():
            seen[name] = _ids(space, seen[name])
        rows = torch.cat([self.encoders(seen), *(seen[name].flatten(1) for name in self.extras)], dim=-1)
        return rows.reshape(-1, self.features_dim)


class Frames(NamedTuple):
    """How the frames of an observation are stacked.

    Attributes:
        number: how many.
        first: whether along a first dimension of their own; else along the last.
    """

    number: int
    first: bool

    @classmethod
    def of(cls, space: spaces.Dict, number: int) -> Frames:
        """Those of an observation space with `number` frames.

        Raises:
            ValueError: where `number` is less than 1.
        """
        if number < 1:
            raise ValueError(f"frames must be at least 1, got {number}")
        shapes = {name: part.shape or () for name, part in space.items()}
        extra = (len(shape) > _dimensions(name, space[name]) and shape[0] == number for name, shape in shapes.items())
        return cls(number, number > 1 and all(extra))

    def single(self, name: str, space: Any) -> Any:
        """The space of one frame of a part.

        Raises:
            ValueError: where the part is not so many frames.
        """
        hint = (
            f"{name!r} is {space}, and not {self.number} frames: say how many are stacked with GlimpseFeatures' frames"
        )
        if self.number > 1:
            if not isinstance(space, spaces.Box) or not (self.first or space.shape[-1] % self.number == 0):
                raise ValueError(hint)
            part = 0 if self.first else (..., slice(space.shape[-1] // self.number))
            space = spaces.Box(space.low[part], space.high[part], dtype=space.dtype.type)
        shape = space.shape or ()
        many = len(shape) > _dimensions(name, space) and (name in (*ROLES, *WORDS) or name == "glimpse")
        if many or (name == "lines" and shape != (1,)):
            raise ValueError(hint)
        return space

    def apart(self, value: Tensor) -> Tensor:
        """(N, …), stacked frames, one below the other: (N · number, …)."""
        if self.number == 1:
            return value
        if not self.first:
            value = value.unflatten(-1, (self.number, -1)).movedim(-2, 1)
        return value.flatten(0, 1)


def _dimensions(name: str, space: gym.Space) -> int:
    """Of one frame of a part; rows of 0 and 1 for words have one more than ids."""
    one_hot = name in WORDS and not np.issubdtype(space.dtype, np.integer)
    return 2 if one_hot else DIMENSIONS.get(name, 1)


def _encoded(name: str, space: Any) -> gym.Space:
    """The space of one frame of a part as it is encoded: ids of words, or numbers."""
    if name in WORDS and isinstance(space, spaces.MultiDiscrete) and len(set(space.nvec.tolist())) == 1:
        return space
    if name in WORDS and isinstance(space, spaces.Box) and _dimensions(name, space) == len(space.shape) == 2:
        return spaces.MultiDiscrete([space.shape[0]] * space.shape[1])
    return spaces.flatten_space(space) if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)) else space


def _ids(space: gym.Space, value: Tensor) -> Tensor:
    """Ids of words (N, words) int64, of a part of this space."""
    if isinstance(space, spaces.MultiDiscrete):  # of which Stable-Baselines3 makes a row of 0 and 1
        return value.reshape(len(value), len(space.nvec), -1).argmax(-1)
    return value.long() if np.issubdtype(space.dtype, np.integer) else value.argmax(-2)
