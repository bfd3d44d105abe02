"""Where agents look on canvases, over many episodes: fixations, and maps of their density."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.trajectory import Trajectory
from runs.traces.trace import array, last_correct

LONGEST = 128
"""Cells of a map along its longer side, at most."""


class Fixations(NamedTuple):
    """The fixations of N episodes of T glimpses.

    Attributes:
        path: (N, T, 2) float32 in [-1, 1], x right, y down.
        centre: (N, 2) float64, the middle of the image to be recognised, in the same unit.
        target: (N,) int64, the true class.
        correct: (N,) bool, whether the last answer was right.
        names: of the K classes.
        canvas: (height, width) of the canvas in pixels.
        image: (height, width) of the image in pixels.
        shapes: (K, height, width) float64 in [0, 1], the mean image of each class: zero where there is none.
    """

    path: np.ndarray
    centre: np.ndarray
    target: np.ndarray
    correct: np.ndarray
    names: tuple[str, ...]
    canvas: tuple[int, int]
    image: tuple[int, int]
    shapes: np.ndarray

    def moved(self) -> bool:
        """Whether the image lies elsewhere from episode to episode, so that places relative to it tell more."""
        return bool((self.centre != self.centre[:1]).any())

    def relative(self) -> np.ndarray:
        """(N, T, 2) float64, the fixations from the middle of the image, in half widths and heights of the image."""
        height, width = self.canvas
        return (self.path - self.centre[:, None]) * (width / self.image[1], height / self.image[0])


class HeatMaps(NamedTuple):
    """Shares of fixations over cells, each map of sum 1 where all lie on it; zero where there was no episode.

    Attributes:
        by_glimpse: (T, h, w), over the canvas, of each glimpse.
        by_class: (K, h, w), over the canvas, of the glimpses that the agent chose, by the true class.
        target_by_glimpse: (T, h', w'), over the image to be recognised, wherever it lies: of each glimpse.
        target_by_class: (K, h', w'), the same by class.
        episodes: (K,) int64, of each class.
        bandwidth: standard deviation of the Gaussian kernel, as a share of the longer side of a map.
    """

    by_glimpse: np.ndarray
    by_class: np.ndarray
    target_by_glimpse: np.ndarray
    target_by_class: np.ndarray
    episodes: np.ndarray
    bandwidth: float


def fixation_density(points: np.ndarray, size: tuple[int, int], bandwidth: float) -> np.ndarray:
    """The share of points that each cell of a map has: a Gaussian kernel around each point (Le Meur & Baccino 2013).

    What a kernel would give to cells beyond the map is given to those on it, so that a point at the edge counts as much
    as one in the middle. Points beyond the map are given to no cell.

    Args:
        points: (M, 2) float, (x right, y down), -1 the left or top edge of the map and 1 the right or bottom.
        size: (rows, columns) of cells.
        bandwidth: standard deviation of the kernel in cells, positive.

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


def heat_maps(fixations: Fixations, bandwidth: float = 1 / 24) -> HeatMaps:
    """Densities of fixations by glimpse and by class, over the canvas and over the image to be recognised.

    Args:
        fixations: of a `FixationLog`.
        bandwidth: of the kernel, as a share of the longer side of a map.

    Raises:
        ValueError: for a bandwidth that is not positive.
    """
    canvas, image = fixations.canvas, fixations.image

    def density(places: np.ndarray, extent: tuple[int, int]) -> np.ndarray:
        size = cells_for(extent)
        return fixation_density(places.reshape(-1, 2), size, bandwidth * max(size))

    steps, classes = fixations.path.shape[1], range(len(fixations.names))
    relative, of_class = fixations.relative(), [fixations.target == index for index in classes]
    chosen = slice(1, None)  # the environment chooses the first
    return HeatMaps(
        np.stack([density(fixations.path[:, step], canvas) for step in range(steps)]),
        np.stack([density(fixations.path[rows, chosen], canvas) for rows in of_class]),
        np.stack([density(relative[:, step], image) for step in range(steps)]),
        np.stack([density(relative[rows, chosen], image) for rows in of_class]),
        np.array([rows.sum() for rows in of_class]),
        bandwidth,
    )


class FixationLog:
    """Collects the fixations of batches; pass it to `agents.evaluate` as the observer.

    Args:
        env: of images.
        seed: of the environment.

    Raises:
        ValueError: for an environment without images to be recognised.
    """

    def __init__(self, env: Any, seed: int) -> None:
        self.task, self.seed = env.unwrapped.task, seed
        if self.task.image_size is None:
            raise ValueError("fixations on a canvas are those of images: this environment shows none")
        self.place = next(name for name, role in env.metadata["roles"].items() if role == "place")
        self.parts: list[tuple[np.ndarray, ...]] = []

    def __call__(self, trajectory: Trajectory, kept: int) -> None:
        """Add the first `kept` rows."""
        assert trajectory.target is not None
        asarray = self.task.backend.asarray
        numbers = trajectory.episodes[:kept]
        boxes = self.task.target_boxes(asarray(np.full(kept, self.seed, np.int64)), asarray(numbers))
        self.parts.append(
            (
                array(trajectory.observations[self.place].transpose(0, 1)[:kept]),
                self.task.backend.to_numpy(boxes),
                array(trajectory.target[-1, :kept]),
                last_correct(trajectory)[:kept],
            )
        )

    def fixations(self) -> Fixations:
        """Of all episodes so far, one at least."""
        path, boxes, target, correct = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        task, (rows, columns) = self.task, self.task.canvas_size
        centre = (boxes[:, :2] + boxes[:, 2:]) / (columns, rows) - 1
        shapes, size = task.class_shapes(), (rows, columns)
        return Fixations(path, centre, target, correct, task.answer_names, size, task.image_size, shapes)
