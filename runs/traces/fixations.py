"""Where agents look on canvases, over many episodes: fixations, and maps of their density."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.trajectory import Trajectory
from runs.traces.trace import array, last_correct, part_of

LONGEST = 128
"""Cells of a map along its longer side, at most."""

BANDWIDTH = 1 / 24
"""Standard deviation of the Gaussian kernel, as a share of the longer side of a map."""


class Fixations(NamedTuple):
    """The fixations of N episodes of T glimpses.

    Attributes:
        path: (N, T, 2) float32 in [-1, 1], x right, y down.
        centre: (N, T, 2) float64, the middle of the image to be recognised, in the same unit; of several, of the
            nearest to each fixation.
        scale: (N, T, 2) float64, how many times as wide and as high as this image the canvas is.
        target: (N,) int64, the true class.
        correct: (N,) bool, whether the last answer was right.
    """

    path: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    target: np.ndarray
    correct: np.ndarray

    def moved(self) -> bool:
        """Whether the image lies elsewhere from episode to episode, so that places relative to it tell more."""
        return bool((self.centre != self.centre[:1]).any())


def fixations_of(env: Any, seed: int, trajectory: Trajectory) -> Fixations:
    """The fixations of a batch, in an environment of images with this seed."""
    assert trajectory.target is not None
    task = env.unwrapped.task
    path = array(trajectory.path(part_of(task.roles, "place")))
    numbers = trajectory.episodes
    seeds, episodes = map(task.backend.asarray, (np.full(len(numbers), seed, np.int64), numbers))
    boxes, (height, width) = task.backend.to_numpy(task.target_boxes(seeds, episodes)), task.canvas_size
    boxes = boxes.reshape(len(numbers), -1, 4)
    centre = (boxes[..., :2] + boxes[..., 2:]) / (width, height) - 1
    scale = np.array([width, height]) / (boxes[..., 2:] - boxes[..., :2])
    nearest = np.square(path[:, :, None] - centre[:, None]).sum(-1).argmin(-1)[..., None]
    centre, scale = (np.take_along_axis(each, nearest, axis=1) for each in (centre, scale))
    return Fixations(path, centre, scale, array(trajectory.target[-1]), last_correct(trajectory))


class HeatMaps(NamedTuple):
    """Shares of fixations over cells, each map of sum 1 where all lie on it; zero where there was no episode.

    Attributes:
        by_glimpse: (T, h, w), over the canvas, of each glimpse.
        by_class: (K, h, w), over the canvas, of the glimpses that the agent chose, by the true class.
        target_by_glimpse: (T, h', w'), over the image to be recognised, wherever it lies: of each glimpse.
        target_by_class: (K, h', w'), the same by class.
        episodes_by_class: (K,) int64.
        classes: the K names.
        bandwidth: of the Gaussian kernel, see `BANDWIDTH`.
    """

    by_glimpse: np.ndarray
    by_class: np.ndarray
    target_by_glimpse: np.ndarray
    target_by_class: np.ndarray
    episodes_by_class: np.ndarray
    classes: tuple[str, ...]
    bandwidth: float


def heat_maps(env: Any, fixations: Fixations, bandwidth: float = BANDWIDTH) -> HeatMaps:
    """Densities of fixations by glimpse and by class, over the canvas and over the image to be recognised."""
    task = env.unwrapped.task
    relative = (fixations.path - fixations.centre) * fixations.scale
    of_class = [fixations.target == index for index in range(len(task.answer_names))]
    maps = []
    for path, extent in ((fixations.path, task.canvas_size), (relative, task.image_size)):
        size = cells_for(extent)
        by_glimpse = [path[:, step] for step in range(path.shape[1])]
        by_class = [path[rows, 1:].reshape(-1, 2) for rows in of_class]  # the environment chooses the first
        for groups in (by_glimpse, by_class):
            maps.append(np.stack([fixation_density(points, size, bandwidth * max(size)) for points in groups]))
    episodes = np.array([rows.sum() for rows in of_class])
    return HeatMaps._make([*maps, episodes, task.answer_names, bandwidth])


def fixation_density(points: np.ndarray, size: tuple[int, int], bandwidth: float) -> np.ndarray:
    """The share of points that each cell of a map has: a Gaussian kernel around each point (Le Meur & Baccino 2013).

    What a kernel would give to cells beyond the map is given to those on it, so that a point at the edge counts as much
    as one in the middle. Points beyond the map are given to no cell.

    Args:
        points: (M, 2) float, (x right, y down), from -1 to 1 between the edges of the map.
        size: (rows, columns) of cells.
        bandwidth: standard deviation of the kernel in cells.

    Returns:
        (rows, columns) float64, whose sum is the share of points on the map; zeros for no points.

    Raises:
        ValueError: for points of another shape, no cells, or a bandwidth that is not positive.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points must be (M, 2), got {points.shape}")
    if min(size) < 1 or not bandwidth > 0:
        raise ValueError(f"size must be at least (1, 1) and bandwidth positive, got {size} and {bandwidth}")
    inside = points[(np.abs(points) <= 1).all(1)]
    down, across = _kernels(inside[:, 1], size[0], bandwidth), _kernels(inside[:, 0], size[1], bandwidth)
    return down.T @ across / max(1, len(points))


def _kernels(places: np.ndarray, cells: int, bandwidth: float) -> np.ndarray:
    """(M, cells), of sum 1 over the cells: the Gaussian around each place in [-1, 1] at the middle of each cell."""
    distance = ((places[:, None] + 1) / 2 * cells - (np.arange(cells) + 0.5)) / bandwidth
    nearest = np.abs(distance).min(1, keepdims=True)
    weights = np.exp((nearest**2 - distance**2) / 2)  # a narrow kernel between two cells is not zero everywhere
    return weights / weights.sum(1, keepdims=True)


def cells_for(size: tuple[float, float]) -> tuple[int, int]:
    """(rows, columns) of a map of this many pixels: a cell a pixel, or as many cells as `LONGEST` allows."""
    share = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
