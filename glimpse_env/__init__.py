"""Gymnasium environments that are seen only through glimpses.

`import glimpse_env` registers `Glimpse/<name>-v0` for each row of `glimpse_env.tasks.TASKS`;
`gym.make("glimpse_env:Glimpse/<name>-v0")` does so by itself, in worker processes too.
"""

from __future__ import annotations

import gymnasium as gym

from glimpse_env.datasets import load_dataset, load_images
from glimpse_env.env import GlimpseEnv
from glimpse_env.tasks import TASKS
from glimpse_env.vector_env import GlimpseVectorEnv

__all__ = ["TASKS", "GlimpseEnv", "GlimpseVectorEnv", "load_dataset", "load_images"]

for _name in TASKS:
    if f"Glimpse/{_name}" not in gym.registry:
        gym.register(
            id=f"Glimpse/{_name}",
            entry_point="glimpse_env.env:GlimpseEnv",
            vector_entry_point="glimpse_env.vector_env:GlimpseVectorEnv",
            kwargs={"name": _name},
        )
