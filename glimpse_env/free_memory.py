"""How much memory is free where arrays live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glimpse_env.backend import Backend
from glimpse_env.notices import in_bytes

if TYPE_CHECKING:
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
            f"{num_envs:,} canvases of {height}×{width} pixels take {in_bytes(needed)}, "
            f"and {in_bytes(free)} of memory are free: make fewer environments, or smaller canvases "
            "(size=, and resize= for the images upon them)"
        )


def memory_in_words(task: Task, num_envs: int) -> str:
    """What images and episodes are, and take at the least; "" without a canvas."""
    if not task.row_bytes or task.canvas_size is None:
        return ""
    height, width = task.canvas_size
    free = free_memory(task.backend)
    return (
        f"{task.images_in_words()} on canvases of {height}×{width} pixels: an episode takes "
        f"{in_bytes(task.row_bytes)} at the least, {num_envs:,} side by side {in_bytes(num_envs * task.row_bytes)}"
        f"{f' of {in_bytes(free)} that are free' if free < float('inf') else ''}"
    )


def free_memory(backend: Backend) -> float:
    """Free memory of a backend's device in bytes, as far as the machine tells; else infinity."""
    if backend.on_host:
        return free_on_host()
    if backend.device.type != "cuda":
        return float("inf")
    import torch

    free, _ = torch.cuda.mem_get_info(backend.device)
    return free + torch.cuda.memory_reserved(backend.device) - torch.cuda.memory_allocated(backend.device)


def free_on_host() -> float:
    """Free memory of this machine in bytes, as far as it tells; else infinity."""
    return min(_available(), _left_in_container())


def _available() -> float:
    """What Linux can give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else float("inf")


def _left_in_container() -> float:
    """What the container may still use: files that Linux keeps in memory, and nobody reads now, make room."""
    try:
        limit, used, parts = ((CGROUP / f"memory.{name}").read_text() for name in ("max", "current", "stat"))
    except OSError:
        return float("inf")
    if limit.strip() == "max":
        return float("inf")
    sizes = dict(line.split() for line in parts.splitlines())
    return max(0, int(limit) - int(used) + int(sizes["inactive_file"]))
