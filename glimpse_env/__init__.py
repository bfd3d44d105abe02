"""Gymnasium environments that are seen only through glimpses.

`import glimpse_env` registers `Glimpse/<name>` for each row of `glimpse_env.TASKS`, such as `Glimpse/MNIST-v0`;
`gym.make("glimpse_env:Glimpse/MNIST-v0")` imports it by itself, in worker processes too. `register_task` adds a task of
your own.
"""

from __future__ import annotations

from glimpse_env.datasets import load_dataset, load_images
from glimpse_env.env import GlimpseEnv
from glimpse_env.tasks import TASKS, register_task
from glimpse_env.vector_env import GlimpseVectorEnv

__all__ = ["TASKS", "GlimpseEnv", "GlimpseVectorEnv", "load_dataset", "load_images", "register_task"]
