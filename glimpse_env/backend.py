"""Where arrays live: NumPy, or torch on any device. The tasks are written once, against the array API."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import Any, NamedTuple

import array_api_compat.numpy
import numpy as np

from glimpse_env.rng import Array


class Backend(NamedTuple):
    """An array namespace and a device.

    Attributes:
        name: "numpy" or "torch".
        xp: the array-API namespace.
        device: None for NumPy, else the torch device.
    """

    name: str
    xp: Any
    device: Any

    @property
    def on_host(self) -> bool:
        """Whether reading a value waits for no device."""
        return self.device is None or self.device.type == "cpu"

    def asarray(self, value: Any, dtype: str | None = None) -> Array:
        """`value` on this backend, as the named dtype ("int64", "float32", …) or its own; without a gradient."""
        kwargs = {} if dtype is None else {"dtype": getattr(self.xp, dtype)}
        value = _detached(value)
        if self.name == "numpy":
            return np.asarray(value, **kwargs)
        if isinstance(value, np.ndarray) and not value.flags.writeable:
            value = value.copy()  # torch has no read-only tensors, and warns
        return self.xp.asarray(value, device=self.device, **kwargs)

    def to_numpy(self, array: Array) -> np.ndarray:
        """A NumPy array of the same values; from a GPU this waits for the device."""
        return array if self.name == "numpy" else array.cpu().numpy()

    def copy(self, array: Array) -> Array:
        """A copy that shares nothing. (The namespace's own way takes several times as long.)"""
        return array.copy() if self.name == "numpy" else array.clone()

    def normal_mode(self) -> contextlib.AbstractContextManager[Any]:
        """A block whose tensors may be written to later, inside of torch's inference mode or not."""
        return self.xp.inference_mode(False) if self.name == "torch" else contextlib.nullcontext()

    def clip(self, array: Array, low: float, high: float | None) -> Array:
        """`array` with its values in [low, high]; None is no bound."""
        if self.name == "torch":
            return array.clamp(low, high)
        raised = np.maximum(array, low)  # np.clip takes several times as long on few values
        return raised if high is None else np.minimum(raised, high)

    def rows(self, count: int) -> Array:
        """0, …, count - 1: int64, and shared, so not to be written to."""
        return _rows(count, self.xp, self.device)

    def __reduce__(self) -> tuple[Any, ...]:
        return get_backend, (self.name, self.device and str(self.device))  # a module cannot be pickled


def as_numpy(value: Any) -> np.ndarray:
    """`value` as an array of NumPy; a tensor may lie on any device."""
    value = _detached(value)
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value)


def _detached(value: Any) -> Any:
    """`value`; a tensor without its gradient."""
    return value.detach() if hasattr(value, "detach") else value


@lru_cache(maxsize=64)
def _rows(count: int, xp: Any, device: Any) -> Array:
    return xp.arange(count, dtype=xp.int64, device=device)


def get_backend(name: str = "numpy", device: str | None = None) -> Backend:
    """The backend called `name`.

    Args:
        name: "numpy" or "torch".
        device: a torch device such as "cpu" or "cuda:0"; None is the CPU. NumPy has no other.

    Raises:
        ValueError: for another name, a device asked of NumPy, or one that this machine does not have.
        ImportError: where torch is asked for and not installed.
    """
    if name == "numpy":
        if device not in (None, "cpu"):
            raise ValueError(f'backend="numpy" has no device {device!r}; use backend="torch" for it')
        return Backend("numpy", array_api_compat.numpy, None)
    if name == "torch":
        try:
            import array_api_compat.torch as xp
            import torch
        except ImportError as error:
            raise ImportError('backend="torch" needs PyTorch: pip install torch') from error
        try:
            place = torch.device(device or "cpu")
        except RuntimeError as error:
            raise ValueError(f'unknown device {device!r}; use "cpu" or "cuda"') from error
        if place.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f'this machine has no CUDA device for device={device!r}; use device="cpu"')
        return Backend("torch", xp, place)
    raise ValueError(f'backend must be "numpy" or "torch", got {name!r}')
