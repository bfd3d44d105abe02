"""The cost of a glimpse against the size of the image, beside that of a network over the whole image."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from agents.encoders.convolutional import deep_layers
from glimpse_env.backend import get_backend
from glimpse_env.image_ops import ImageOps, image_ops
from glimpse_env.retina import Retina, glimpse, summed_area_table
from runs.benchmarks.timing import Figure, medians
from runs.progress import Progress

SIZES = (60, 128, 256, 512, 1024, 2048)
CNN_LIMIT = 1024
"""Largest canvas shown to the whole-image network: on larger ones a pass takes seconds."""
GLIMPSES, LENGTH = 2000, 10**6  # of a round; of an episode, which never ends
MANY = 256
"""Episodes side by side. At 1,024² their canvases are larger than a processor's caches, and memory costs the most."""


def glimpses(look: Callable[[np.ndarray], object], places: np.ndarray) -> None:
    """A glimpse at each of the places, one after the other."""
    for place in places:
        look(place)


def looking(canvases: np.ndarray, retina: Retina, ops: ImageOps) -> Callable[[np.ndarray], object]:
    """What takes glimpses of canvases (N, 1, H, W) at places (N, 2), as tasks on the host do."""
    rows = np.arange(len(canvases))
    if ops.compiled:
        return lambda places: ops.glimpse_of_images(canvases, rows, places, retina)
    return partial(glimpse, summed_area_table(canvases), retina=retina)


def single_steps(size: int) -> Callable[[], None]:
    """Steps of an environment whose one long episode has begun, on a canvas of this size."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 28, 28), dtype=np.uint8)
    kwargs: dict[str, Any] = {"images": images, "labels": np.arange(40) % 2, "split": "all", "size": size}
    env = gym.make("glimpse_env:Glimpse/Classify-v0", num_glimpses=LENGTH, **kwargs)
    env.reset(seed=0)
    actions = [{"location": place, "answer": 0} for place in random.uniform(-1, 1, (GLIMPSES, 2)).astype(np.float32)]

    def run() -> None:
        for action in actions:
            env.step(action)

    return run


def cost_by_size(repeats: int, bar: Progress) -> list[Figure]:
    """Time and memory of a glimpse, once the episode has begun, against a whole-image network's."""
    retina, random, ops = Retina((12, 12), 3), np.random.default_rng(0), image_ops(get_backend("numpy"))
    single: dict[str, Callable[[], object]] = {}
    many: dict[str, Callable[[], object]] = {}
    for size in SIZES:
        canvas = random.integers(0, 256, (1, 1, size, size), dtype=np.uint8)
        places = random.uniform(-1, 1, (GLIMPSES, 1, 2)).astype(np.float32)
        single[str(size)] = partial(glimpses, looking(canvas, retina, ops), places)
    for size in (60, 1024):
        canvases = random.integers(0, 256, (MANY, 1, size, size), dtype=np.uint8)
        places = random.uniform(-1, 1, (GLIMPSES // 40, MANY, 2)).astype(np.float32)
        many[str(size)] = partial(glimpses, looking(canvases, retina, ops), places)
    one, several = medians(single, repeats=repeats, bar=bar), medians(many, repeats=repeats, bar=bar)
    figures = []
    for size in SIZES:
        figures.append(Figure(f"glimpse at {size}²", one[str(size)] / GLIMPSES * 1e6, "µs"))
        taken = size**2 if ops.compiled else 4 * (size + 1) ** 2
        figures.append(Figure(f"memory of an episode at {size}²", taken / 2**20, "MiB"))
        if size <= CNN_LIMIT:
            image, network = torch.rand(1, 1, size, size), deep_layers(1, 16)[0].eval()
            with torch.no_grad():
                once = medians({"cnn": partial(network, image)}, repeats=repeats, bar=bar)["cnn"]
            figures.append(Figure(f"whole-image CNN at {size}²", once * 1e6, "µs"))
    steps = medians({str(size): single_steps(size) for size in (60, 1024)}, repeats=repeats, bar=bar)
    figures.append(Figure("step of a single environment at 1024² / at 60²", steps["1024"] / steps["60"], "×"))
    figures.append(Figure("glimpse at 1024² / at 60²", one["1024"] / one["60"], "×"))
    figures.append(Figure(f"the same, {MANY} episodes at once", several["1024"] / several["60"], "×"))
    return figures
