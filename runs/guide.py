"""A person's own heat map, which draws a gaze in training to where it is bright, and keeps it from where it is dark.

A location l that is looked at earns w g(l) beside what the recipe's reward gives, where w is its `guide_weight` and
g(l) in [-1, 1] is the map there. With reward "gain" a location's return is so

    G_t = sum over k >= t of discount^(k - t) (log p_{k+1}(target) - log p_k(target) + w g(l_{k+1})),

and with reward "final" that sum of w g alone, beside the reward at the end. It is this return that REINFORCE follows
(`runs.objective.gaze_returns`); nothing else changes. Unlike potential-based shaping (Ng, Harada & Russell 1999), it is
meant to change what policy is the best.

How far a gaze follows is its agreement with the map, the normalised scanpath saliency of Peters et al. 2005 (see also
Bylinskii et al. 2019, "What do different evaluation metrics tell us about saliency models?"): the mean,
over fixations, of the map with its mean taken away and divided by its standard deviation. 0 is chance.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from glimpse_env.tasks import Classify
from glimpse_env.tasks.babi_gaze import BabiGaze

STRETCH = 0.02
"""How far the sides of a map may differ from the canvas's aspect ratio, as a share."""


@dataclass(frozen=True)
class Guide:
    """A map over the canvas, or weights of words.

    Attributes:
        values: (H, W) float32 in [-1, 1] over a canvas; or (vocabulary,), of words.
        digest: of the file's content, so that a resumed training knows whether it is the same.
    """

    values: Tensor
    digest: str

    def at(self, env: Any, episodes: np.ndarray, seed: int, location: Tensor) -> tuple[Tensor, Tensor]:
        """The map where a gaze has been.

        A canvas is looked up between its cells' middles, bilinearly. A line of a story has the sum of the weights of
        its words, between -1 and 1.

        Args:
            env: that was played.
            episodes: (N,) episode numbers.
            seed: of the environment.
            location: (T, N, D) fixations.

        Returns:
            The value g, and the normalised scanpath saliency, both (T, N) float32.
        """
        if self.values.dim() == 2:
            return canvas_values(self.values, location)
        task = env.unwrapped.task
        seeds = torch.full((len(episodes),), seed, device=location.device)
        state = task.asked(seeds, torch.from_numpy(episodes).to(location.device))
        tokens, told = task.story(state)
        return line_values(self.lines(tokens), told, task.line_at(location[..., 0], told.sum(1)))

    def lines(self, tokens: Tensor) -> Tensor:
        """(N, L) values in [-1, 1] of lines (N, L, words) of ids: the sum of the weights of their words."""
        return self.values[tokens].sum(-1).clamp(-1, 1)


def canvas_values(map: Tensor, location: Tensor) -> tuple[Tensor, Tensor]:
    """The value of a map (H, W) at locations (T, N, 2) in [-1, 1], and the same in standard scores: both (T, N)."""
    found = F.grid_sample(map[None, None], location[None], padding_mode="border", align_corners=False)[0, 0]
    return found, (found - map.mean()) / map.std(correction=0)


def line_values(lines: Tensor, told: Tensor, looked: Tensor) -> tuple[Tensor, Tensor]:
    """The value of lines looked at, and the same in standard scores of the lines of their story.

    Args:
        lines: (N, L) values.
        told: (N, L) bool, which of them the story has.
        looked: (T, N) int64, lines.

    Returns:
        Both (T, N). A story whose lines have one value has no score: 0.
    """
    count = told.sum(1)
    mean = (lines * told).sum(1) / count
    std = (((lines - mean[:, None]) ** 2 * told).sum(1) / count).sqrt()
    found = lines.gather(1, looked.T).T
    return found, torch.where(std > 1e-6, (found - mean) / std.clamp(min=1e-6), 0.0)


def load_guide(path: str | Path, env: Any, device: torch.device) -> Guide:
    """The guide of a file, for this environment.

    Args:
        path: for images a picture in grey, of any size with the canvas's aspect ratio: white attracts, black repels,
            mid-grey is neutral. For hidden stories words and their weights: a JSON object, or a CSV file with a word
            and its weight a line; positive attracts, negative repels, and the largest counts as 1.
        env: of images, or `BabiGaze-v0`.
        device: where to keep it.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for an environment without a gaze, or a file that is no guide for it.
    """
    path, task = Path(path), getattr(env.unwrapped, "task", None)
    if not isinstance(task, (Classify, BabiGaze)) or task.horizon == 1:
        raise ValueError("--guide says where to look: it needs a task with a gaze, of images or BabiGaze-v0")
    if not path.is_file():
        raise FileNotFoundError(f"no guide at {path}: give --guide a grey image, or words with weights")
    content = path.read_bytes()
    if isinstance(task, BabiGaze):
        values = word_weights(content, path, task.vocabulary.words)
    else:
        values = grey_map(content, path, task.scene.size)
    return Guide(torch.from_numpy(values).to(device), hashlib.sha256(content).hexdigest())


def grey_map(content: bytes, path: Path, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 in [-1, 1] of an image file's content: black -1, white 1, resized to the canvas's `size`.

    Raises:
        ValueError: for no image, one of another aspect ratio, or one that is grey alike all over.
    """
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
    if image is None:
        raise ValueError(f"{path} is not an image: give a grey picture (white attracts, black repels, grey is neutral)")
    (height, width), (rows, columns) = image.shape, size
    if abs(width * rows / (height * columns) - 1) > STRETCH:
        raise ValueError(
            f"{path} has {width}×{height} pixels and the canvas {columns}×{rows}: give the guide the same aspect ratio"
        )
    if image.min() == image.max():
        raise ValueError(f"{path} is grey alike all over, which favours nothing: draw where to look lighter")
    smaller = cv2.INTER_AREA if height > rows else cv2.INTER_LINEAR
    return cv2.resize(image.astype(np.float32), (columns, rows), interpolation=smaller) / np.float32(127.5) - 1


def word_weights(content: bytes, path: Path, vocabulary: tuple[str, ...]) -> np.ndarray:
    """(vocabulary,) float32 in [-1, 1] of the content of a JSON or CSV file of words and weights.

    Raises:
        ValueError: for another format, a word that the stories do not have, or weights that are no numbers or all 0.
    """
    try:
        text = content.decode("utf-8-sig")  # spreadsheets write a mark ahead
        if path.suffix.lower() == ".json":
            given = [(str(word), float(weight)) for word, weight in json.loads(text).items()]
        else:
            given = [(word.strip(), float(weight)) for word, weight in csv.reader(text.splitlines())]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(
            f'{path} holds no words with weights ({error}): give JSON such as {{"garden": 1, "mary": -0.5}}, or CSV, '
            "a word and its weight a line"
        ) from error
    ids = {word: number for number, word in enumerate(vocabulary)}
    unknown = [word for word, _ in given if word.lower() not in ids]
    if unknown:
        some = ", ".join(vocabulary[2:10])
        raise ValueError(f"{path}: the stories have no word {', '.join(map(repr, unknown[:5]))}; they have {some}, …")
    largest = max((abs(weight) for _, weight in given), default=0.0)
    if not 0 < largest < math.inf or any(math.isnan(weight) for _, weight in given):
        raise ValueError(f"{path}: the weights must be finite numbers, and not all of them 0")
    values = np.zeros(len(vocabulary), np.float32)
    for word, weight in given:
        values[ids[word.lower()]] = weight / largest
    return values
