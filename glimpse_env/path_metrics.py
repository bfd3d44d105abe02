"""What gazes have in common, in numbers: how far they jump, what they hit, how much they cover, how they vary.

Pure functions over the paths of many episodes. A path is (N, T, D) float32 in [-1, 1]: N episodes, T fixations, the
first chosen by the environment; D is 2 (x right, y down) on a canvas and 1 along a story.
"""

from __future__ import annotations

import numpy as np

from glimpse_env.retina import Retina, fixation_pixel

CELLS = 8
"""Cells along each dimension of the grid on which fixations are counted."""


def saccade_length(path: np.ndarray) -> float:
    """Mean distance between one fixation and the next, in the unit of a location: a canvas is 2 wide; 0 without any."""
    steps = np.diff(path, axis=1)
    return float(np.linalg.norm(steps, axis=-1).mean()) if steps.size else 0.0


def fixation_entropy(path: np.ndarray, cells: int = CELLS) -> float:
    """Entropy in nats of the fixations, over a grid of `cells` a dimension: -sum_i p_i ln p_i (Shannon 1948).

    The first fixation, which the agent does not choose, is left out. 0 means one cell in every episode, D ln(cells)
    that all cells are equally frequent.
    """
    chosen = path[:, 1:].reshape(-1, path.shape[-1])
    cell = np.clip(np.floor((chosen + 1) * (cells / 2)), 0, cells - 1).astype(np.int64)
    _, counts = np.unique(cell, axis=0, return_counts=True)
    share = counts / max(1, counts.sum())
    return float(-(share * np.log(share)).sum()) + 0.0


def coverage(path: np.ndarray, canvas: tuple[int, int], retina: Retina) -> float:
    """Share of the canvas that the finest patch has covered by the end of an episode, mean over episodes.

    The exact area of the union of T windows, from the grid that their edges make: it costs the same at every size.

    Args:
        path: (N, T, 2).
        canvas: (height, width) in pixels.
        retina: patch size and scales.
    """
    left, top, right, bottom = np.moveaxis(windows(path, canvas, retina), -1, 0)
    across, down = (np.sort(np.concatenate(edges, 1), 1) for edges in ((left, right), (top, bottom)))
    columns = (left[..., None] <= across[:, None, :-1]) & (across[:, None, :-1] < right[..., None])
    rows = (top[..., None] <= down[:, None, :-1]) & (down[:, None, :-1] < bottom[..., None])
    seen = np.einsum("nti,ntj->nij", rows.astype(np.float32), columns.astype(np.float32)) > 0
    area = np.einsum("nij,ni,nj->n", seen, np.diff(down), np.diff(across))
    return float(area.mean() / (canvas[0] * canvas[1]))


def windows(path: np.ndarray, canvas: tuple[int, int], retina: Retina) -> np.ndarray:
    """(N, T, 4) int64 left, top, right, bottom of the finest windows, cut at the canvas's edges."""
    centre = np.asarray(fixation_pixel(path.reshape(-1, 2).astype(np.float32), canvas)).reshape(path.shape)
    (height, width), limits = retina.patch, np.array([canvas[1], canvas[0]] * 2)
    corner = centre.astype(np.int64) - np.array([width // 2, height // 2])
    return np.clip(np.concatenate([corner, corner + np.array([width, height])], -1), 0, limits)


def off_image(path: np.ndarray, boxes: np.ndarray | None = None, canvas: tuple[int, int] = (0, 0)) -> float:
    """Share of the fixations after the first that lie on the canvas's edge, or off the image upon it.

    All that is beyond the edge is clipped to it, and nothing calls back a gaze that is there: wherever beyond the edge
    the policy's mean lies, the same is seen.

    Args:
        path: (N, T, 2).
        boxes: as in `hit_rate`, where nothing but padding is around the image; None where the canvas is the image.
        canvas: (height, width) in pixels, with boxes.
    """
    chosen = path[:, 1:]
    off = (np.abs(chosen) >= 1).any(-1)
    if boxes is not None:
        off |= ~hits(chosen, boxes, canvas)
    return float(off.mean()) if off.size else 0.0


def hit_rate(path: np.ndarray, boxes: np.ndarray, canvas: tuple[int, int]) -> float:
    """Share of the fixations after the first that fell into the target's box.

    Args:
        path: (N, T, 2).
        boxes: (N, 4) left, top, right, bottom in pixels, of each episode's target, or (N, K, 4) of several.
        canvas: (height, width) in pixels.
    """
    inside = hits(path[:, 1:], boxes, canvas)
    return float(inside.mean()) if inside.size else 0.0


def hits(path: np.ndarray, boxes: np.ndarray, canvas: tuple[int, int]) -> np.ndarray:
    """Which of the fixations (N, T, 2) fell into a box, (N, T) bool; boxes and canvas as in `hit_rate`."""
    if boxes.ndim == 3:
        return np.any([hits(path, each, canvas) for each in boxes.swapaxes(0, 1)], axis=0)
    pixel = np.asarray(fixation_pixel(path.reshape(-1, 2).astype(np.float32), canvas)).reshape(path.shape)
    return np.all((pixel >= boxes[:, None, :2]) & (pixel < boxes[:, None, 2:]), axis=-1)


def story_coverage(path: np.ndarray, lines: np.ndarray) -> float:
    """Share of a story's lines that were fixated, mean over episodes.

    Args:
        path: (N, T, 1), middles of lines.
        lines: (N,) of each story.
    """
    ordered = np.sort(path[..., 0], axis=1)
    return float(((1 + (np.diff(ordered, axis=1) > 0).sum(1)) / lines).mean())
