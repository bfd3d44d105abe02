"""What a memory did, in numbers: how sharply it reads, how evenly it writes, how much of it is used.

Pure functions, over one episode's weights of T steps, H heads or hops and S slots (`memory.Memory.watch`).
"""

from __future__ import annotations

import numpy as np

from runs.traces.trace import Trace


def entropy(weights: np.ndarray) -> np.ndarray:
    """Entropy in nats of weights (…, S), made to sum to 1: -sum_i w_i ln w_i; 0 where all are 0."""
    total = weights.sum(-1, keepdims=True)
    share = weights / np.where(total > 0, total, 1)
    return -(share * np.log(np.where(share > 0, share, 1))).sum(-1) + 0.0


def read_entropy(read: np.ndarray) -> float:
    """How widely read weights (T, H, S) are spread over the slots: mean entropy in nats; 0 for one slot alone."""
    return float(entropy(read).mean())


def write_entropy(write: np.ndarray) -> float:
    """How evenly an episode's write weights (T, S) are spread over the slots: 0 for one slot, ln S for all alike."""
    return float(entropy(write.sum(0)))


def usage(write: np.ndarray) -> float:
    """Share of the slots that an episode has filled, write (T, S).

    The usage u_t = u_{t-1} + w_t - u_{t-1} w_t of Graves et al. 2016 (methods, "Dynamic memory allocation") with
    nothing freed.
    """
    return float((1 - np.prod(1 - np.clip(write, 0, 1), axis=0)).mean())


def memory_scalars(traces: list[Trace]) -> dict[str, float]:
    """Everything above, mean over episodes, by TensorBoard tags; what a memory has no weights for is left out."""
    scalars: dict[str, list[float]] = {}
    for trace in traces:
        if trace.read is not None:
            scalars.setdefault("memory/read_entropy", []).append(read_entropy(trace.read))
        if trace.write is not None:
            scalars.setdefault("memory/write_entropy", []).append(write_entropy(trace.write))
            scalars.setdefault("memory/usage", []).append(usage(trace.write))
    return {tag: float(np.mean(values)) for tag, values in scalars.items()}
