"""The encoders as a features extractor of Stable-Baselines3."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

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


ROLES = {"location": "place", "time": "clock", "periphery": "bag", "lines": "count", "bits": "bits"}


def role_of(name: str, space: gym.Space) -> str:
    """The role of a part of a bare observation space, by its name and shape as in Glimpse's ids; else "values"."""
    if name == "glimpse" and len(space.shape or ()) == 4:
        return "glimpse"
    if name in ("tokens", "question") and np.issubdtype(space.dtype, np.integer):
        return "tokens"
    return ROLES.get(name, "values")


class GlimpseFeatures(BaseFeaturesExtractor):
    """The agent's encoders (`agents.encoders`) in front of a policy; place and clock are given as they are, too.

    As `policy_kwargs={"features_extractor_class": GlimpseFeatures}` of `MultiInputPolicy` or `MultiInputLstmPolicy`.

    Args:
        observation_space: a `Dict`, of a Glimpse environment or of any other; parts get their roles by `role_of`.
        width: of the encoded observation. Rows of bits keep their own.
        encoder: of lines: "bag", or "attention" over their words.

    Raises:
        ValueError: for an observation without an encoder, or more words than float32 can distinguish.
    """

    def __init__(self, observation_space: gym.Space, width: int = 256, encoder: Any = "bag") -> None:
        parts = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {}
        roles = {name: role_of(name, space) for name, space in parts.items()}
        bare = {"observation_space": observation_space, "action_space": spaces.Dict(), "metadata": {"roles": roles}}
        spec, config = spec_of(SimpleNamespace(**bare)), AgentConfig(width=width, encoder=encoder)
        if any(size > EXACT for part in spec.observation.values() for size in part.sizes):
            raise ValueError(f"Stable-Baselines3 can distinguish {EXACT:,} words, and there are more")
        encoded = spec if "bag" in roles.values() else spec.without(config.ignore)  # hidden texts need the time
        encoders = Encoders(encoded.observation, config)
        extras = [name for name, role in roles.items() if role in ("place", "clock")]
        super().__init__(observation_space, encoders.width + sum(spec.observation[name].values for name in extras))
        self.encoders, self.extras = encoders, extras
        self.words = [name for name, role in roles.items() if role == "tokens"]

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """(N, features), of observations (N, …) float32, as Stable-Baselines3 makes them all."""
        seen = {name: value.long() if name in self.words else value for name, value in observations.items()}
        return torch.cat([self.encoders(seen), *(seen[name] for name in self.extras)], dim=-1)
