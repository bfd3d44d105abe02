"""A saliency map of your own, which draws a gaze in training to where it is bright and away from where it is dark.

A fixation l earns w g(l) beside what the recipe's estimator gives, where w is the recipe's `saliency_weight` and g(l)
in [-1, 1] is the map there. With estimator "gain" the return of the gaze at step t is

    G_t = sum over k >= t of discount^(k - t) (log p_{k+1}(target) - log p_k(target) + w g(l_{k+1})),

and with "reinforce" the environment's reward takes the place of the gain. REINFORCE follows this return; nothing else
changes. Unlike potential-based shaping (Ng, Harada & Russell 1999), it is meant to change which policy is the best.

The agreement of a gaze with the map is the normalised scanpath saliency of Peters et al. 2005 (see also Bylinskii et
al. 2019, "What do different evaluation metrics tell us about saliency models?"): the mean, over fixations, of the map
minus its mean, divided by its standard deviation. 0 is chance.
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

from agents.trajectory import Trajectory
from glimpse_env.decoding import decode
from runs.traces.trace import part_of

STRETCH = 0.02
"""How far the aspect ratio of a map may differ from the canvas's, as a share."""


@dataclass(frozen=True)
class SaliencyPrior:
    """A map over the canvas, or weights of words.

    Attributes:
        values: (H, W) float32 in [-1, 1] over a canvas; or (vocabulary,), of words.
        digest: of the file's content, so that a resumed training knows whether it is the same.
        task: of the environment, on torch.
        seed: of the episodes.
    """

    values: Tensor
    digest: str
    task: Any
    seed: int

    def at(self, trajectory: Trajectory) -> tuple[Tensor, Tensor]:
        """The map at every fixation.

        A canvas is interpolated bilinearly between the centres of its cells. A line of a story has the sum of the
        weights of its words, between -1 and 1.

        Returns:
            The value g, and the normalised scanpath saliency, both (T, N) float32.
        """
        path = trajectory.observations[part_of(self.task.roles, "place")]
        if self.values.dim() == 2:
            return canvas_values(self.values, path)
        numbers = torch.as_tensor(trajectory.episodes, device=path.device)
        story = self.task.story(torch.full_like(numbers, self.seed), numbers)
        lines = self.values[story.tokens].sum(-1).clamp(-1, 1)
        return line_values(lines, story.count, self.task.line_at(path[..., 0], story.count))


def canvas_values(map: Tensor, path: Tensor) -> tuple[Tensor, Tensor]:
    """The value of a map (H, W) at fixations (T, N, 2) in [-1, 1], and its standard score: both (T, N)."""
    found = F.grid_sample(map[None, None], path[None], padding_mode="border", align_corners=False)[0, 0]
    return found, (found - map.mean()) / map.std(correction=0)


def line_values(lines: Tensor, count: Tensor, fixated: Tensor) -> tuple[Tensor, Tensor]:
    """The value of the fixated lines, and its standard score among the lines of the same story.

    Args:
        lines: (N, L) values.
        count: (N,) int64, how many of them the story has.
        fixated: (T, N) int64, lines.

    Returns:
        Both (T, N). A story whose lines all have one value has no score: 0.
    """
    inside = torch.arange(lines.shape[1], device=lines.device) < count[:, None]
    mean = (lines * inside).sum(1) / count
    std = (((lines - mean[:, None]) ** 2 * inside).sum(1) / count).sqrt()
    found = lines.gather(1, fixated.T).T
    return found, torch.where(std > 1e-6, (found - mean) / std.clamp(min=1e-6), 0.0)


def load_saliency_prior(path: str | Path, env: Any, *, device: torch.device, seed: int) -> SaliencyPrior:
    """The saliency prior of a file, for this environment.

    Args:
        path: for images a grey picture, of any size with the canvas's aspect ratio: white attracts, black repels,
            mid-grey is neutral. For hidden stories words and their weights: a JSON object, or a CSV file with a word
            and its weight a line; positive attracts, negative repels, and the largest counts as 1.
        env: with a gaze on a canvas or on a story, on torch.
        device: where to keep it.
        seed: of the episodes that are played.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for an environment without such a gaze, or a file that does not fit it.
    """
    path = Path(path)
    task: Any = getattr(env.unwrapped, "task", None)
    gaze = task is not None and task.horizon > 1 and part_of(task.roles, "place")
    if not gaze or not (task.canvas_size or hasattr(task, "line_at")):
        raise ValueError("--saliency-prior draws a gaze: it needs a task with one, on images or on hidden stories")
    if not path.is_file():
        raise FileNotFoundError(f"no saliency map at {path}: give --saliency-prior a grey image, or words with weights")
    content = path.read_bytes()
    values = grey_map(path, task.canvas_size) if task.canvas_size else word_weights(content, path, task.words)
    return SaliencyPrior(torch.from_numpy(values).to(device), hashlib.sha256(content).hexdigest(), task, seed)


def grey_map(path: Path, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 in [-1, 1] of an image file: black -1, white 1, transparent about 0, resized to the canvas.

    Raises:
        ValueError: for no image, one of another aspect ratio, or one of the same grey everywhere.
    """
    image = decode(path)
    image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
    (height, width), (rows, columns) = image.shape, size
    if abs(width * rows / (height * columns) - 1) > STRETCH:
        raise ValueError(
            f"{path} has {width}×{height} pixels and the canvas {columns}×{rows}: give the map the same aspect ratio"
        )
    if image.min() == image.max():
        raise ValueError(f"{path} has the same grey everywhere, which favours nothing: draw bright places")
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
