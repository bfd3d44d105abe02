"""What autocast leaves alone: recurrent state, and what is computed from it step by step.

`torch.autocast` computes products of matrices in half precision. A linear map or attention over stored slots bears
that. What a step adds to a state does not: rounded to eight bits, small changes of usage, links or weights are lost,
and errors add up over the steps. Such a step is computed as without autocast, as `torch.amp.custom_fwd` would with
`cast_inputs=torch.float32`, on any device and in the dtype of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """A context without autocast. Tensors of half precision are to be converted by who enters it."""
    if not torch.amp.is_autocast_available(device.type) or not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def full_precision_step(forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` of a memory, computed without autocast in the dtype of its parameters."""

    @wraps(forward)
    def step(self: Any, write: Tensor, query: Tensor, *state: Any, **more: Any) -> Any:
        dtype = next(self.parameters()).dtype
        with full_precision(write.device):
            converted = write.to(dtype)
            return forward(self, converted, converted if query is write else query.to(dtype), *state, **more)

    return step
