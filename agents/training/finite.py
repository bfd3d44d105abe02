"""Whether numbers are finite."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all values of these tensors are finite; the device is asked once."""
    return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())
