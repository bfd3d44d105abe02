"""How much memory is free where arrays live."""

from __future__ import annotations

from pathlib import Path

from glimpse_env.backend import Backend
from glimpse_env.tasks import Task

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use."""


def check_memory(task: Task, num_envs: int) -> None:
    """Refuse more episodes side by side than the free memory can hold.

    Raises:
        ValueError: for too many.
    """
    needed, free = num_envs * task.row_bytes, free_memory(task.backend) if task.row_bytes else 0.0
    if needed > free:
        height, width = task.canvas_size or (0, 0)
        raise ValueError(
            f"{num_envs:,} canvases of {height}×{width} pixels, with a table of sums each, take {needed / 2**30:,.1f} "
            f"GiB, and {free / 2**30:,.1f} GiB of memory are free: make fewer environments, or smaller canvases "
            "(size=, and resize= for the images upon them)"
        )


def free_memory(backend: Backend) -> float:
    """Free memory of a backend's device in bytes, as far as the machine tells; else infinity."""
    if backend.on_host:
        return min(_available(), _left_in_container())
    if backend.device.type != "cuda":
        return float("inf")
    import torch

    free, _ = torch.cuda.mem_get_info(backend.device)
    return free + torch.cuda.memory_reserved(backend.device) - torch.cuda.memory_allocated(backend.device)


def _available() -> float:
    """What Linux can give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else float("inf")


def _left_in_container() -> float:
    try:
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return float("inf")
    return float("inf") if limit == "max" else int(limit) - int(used)
