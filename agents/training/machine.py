"""The name of the machine, for figures that depend on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine_name(device: torch.device | str = "cpu") -> str:
    """The GPU's name, or the processor's with its number of cores."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = models[0] if models else processor
    return f"{processor}, {os.cpu_count()} cores"
