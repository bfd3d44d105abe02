"""From weights of a memory's slots to weights of the steps that they hold."""

from __future__ import annotations

import numpy as np


def over_steps(read: np.ndarray, step: np.ndarray, steps: int) -> np.ndarray:
    """(N, H, steps) float64, read weights (N, H, S) of slots, given to the steps (N, S) that these hold; -1 is none."""
    weights = np.zeros((*read.shape[:2], steps + 1))  # the last is cut off
    np.put_along_axis(weights, np.broadcast_to(step[:, None], read.shape), read, axis=2)
    return weights[..., :steps]
