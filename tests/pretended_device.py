"""A device that does not exist: tensors that claim to lie on it hold their numbers on the host, and record every
crossing.

What runs on it runs as on a GPU, as far as a CPU can tell: an operation that mixes devices, an implicit copy and a wait
for the device are recorded with the line of the project that asked for it.
"""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.utils._foreach_utils as foreach_utils
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
ROOT = f"{Path(__file__).parents[1]}/"
WAITS = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::masked_select",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::equal",
}
"""Operations whose result the host must know, and so waits for."""

_setup_privateuseone_for_python_backend(NAME)
DEVICE = torch.device(NAME, 0)


class Record:
    """What crossed between the devices: counts by operation and line.

    Attributes:
        mixed: operations on tensors of both devices.
        waits: for the device.
        phase: under which waits are recorded, such as "collect".
    """

    def __init__(self) -> None:
        self.mixed: collections.Counter[tuple[str, str]] = collections.Counter()
        self.waits: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self.phase = ""

    def wait(self, name: str) -> None:
        """Record a wait."""
        self.waits[self.phase, name, _line()] += 1


RECORD = Record()


class Pretended(torch.Tensor):
    """A tensor that claims to lie on the device."""

    held: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Pretended:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Pretended({self.held})"

    def tolist(self) -> Any:
        RECORD.wait("tolist")
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert a tensor of the pretended device to numpy: use .cpu() first")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(function, args, kwargs or {})


class _Mode(TorchDispatchMode):
    """Sends operations that make tensors on the device, which have no tensor among their arguments, there too."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(function, args, kwargs or {})


def _line() -> str:
    """The line of the project that is being run."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(ROOT) and "/tests/" not in name and "/.venv" not in name:
            return f"{name.removeprefix(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "?"


def _is_device(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _dispatch(function: Any, args: Any, kwargs: Any) -> Any:
    name = function._schema.name
    flat = tree_flatten((args, kwargs))[0]
    there = [value for value in flat if isinstance(value, Pretended)]
    here = [value for value in flat if isinstance(value, torch.Tensor) and not isinstance(value, Pretended)]
    if name in ("aten::_to_copy", "aten::copy_"):
        return _copy(function, name, args, kwargs, there)
    if not there and not _is_device(kwargs.get("device")):
        return function(*args, **kwargs)
    if there and any(value.dim() for value in here):
        RECORD.mixed[name, _line()] += 1
    if name in WAITS or (name.startswith("aten::index") and _by_mask(args)):
        RECORD.wait(name)
    bare, options = tree_map_only(Pretended, lambda value: value.held, (args, _on_host(kwargs)))
    out = _KERNELS.get(name, function)(*bare, **options)
    if name in ("aten::_local_scalar_dense", "aten::equal"):
        return out
    wrapped = tree_map_only(torch.Tensor, Pretended, out)
    return return_and_correct_aliasing(function, args, kwargs, wrapped) if there else wrapped


def _by_mask(args: Any) -> bool:
    """Whether an indexing operation has a mask, whose number of true elements the host must know."""
    indices = args[1] if len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
    return any(isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in indices)


def _on_host(kwargs: Any) -> Any:
    options = dict(kwargs)
    if options.get("device") is not None:
        options["device"] = torch.device("cpu")
    options.pop("pin_memory", None)
    return options


def _copy(function: Any, name: str, args: Any, kwargs: Any, there: list) -> Any:
    """A copy within a device or between the two; one to the host is a wait."""
    copies = name == "aten::copy_"
    source = isinstance(args[1] if copies else args[0], Pretended)
    target = (
        isinstance(args[0], Pretended) if copies else _is_device(kwargs["device"]) if kwargs.get("device") else source
    )
    if source and not target:
        RECORD.wait(name)
    bare = tree_map_only(Pretended, lambda value: value.held, args)
    out = function(*bare, **_on_host(kwargs))
    if copies:
        return args[0]
    return Pretended(out.clone() if out is bare[0] else out) if target else out


def _lstm(gates: Any, hidden: Any, cell: Any, bias: Any = None, hidden_bias: Any = None) -> Any:
    """PyTorch's fused LSTM cell exists on GPUs alone: the same by its parts."""
    total = gates + hidden + (0 if bias is None else bias + hidden_bias)
    i, f, c, o = total.chunk(4, 1)
    i, f, c, o = i.sigmoid(), f.sigmoid(), c.tanh(), o.sigmoid()
    after = f * cell + i * c
    return o * after.tanh(), after, torch.cat([i, f, c, o], 1)


def _lstm_backward(hidden: Any, cell: Any, before: Any, after: Any, workspace: Any, has_bias: bool) -> Any:
    i, f, c, o = workspace.chunk(4, 1)
    out = after.tanh()
    hidden = torch.zeros_like(before) if hidden is None else hidden
    inner = hidden * o * (1 - out * out) + (0 if cell is None else cell)
    parts = [inner * c * i * (1 - i), inner * before * f * (1 - f), inner * i * (1 - c * c), hidden * out * o * (1 - o)]
    gates = torch.cat(parts, 1)
    return gates, inner * f, gates.sum(0) if has_bias else None


_KERNELS = {"aten::_thnn_fused_lstm_cell": _lstm, "aten::_thnn_fused_lstm_cell_backward_impl": _lstm_backward}


@contextmanager
def pretended_device() -> Iterator[Record]:
    """The device, while it lasts; and what crossed."""
    makers = {name: getattr(torch, name) for name in ("asarray", "tensor", "as_tensor")}

    def maker(make: Any) -> Any:
        def made(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Any:
            if isinstance(data, Pretended):
                kept = kwargs.get("dtype")
                return data if kept in (None, data.dtype) else data.to(kept)
            value = make(data, *args, **kwargs)
            return value.to(DEVICE) if _is_device(device) else value

        return made

    for name, make in makers.items():
        setattr(torch, name, maker(make))
    foreach_utils._foreach_supported_types.append(Pretended)
    RECORD.__init__()  # type: ignore[misc]
    # A parameter on the host cannot become a `Pretended` in place.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _Mode():
            yield RECORD
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        foreach_utils._foreach_supported_types.remove(Pretended)
        for name, make in makers.items():
            setattr(torch, name, make)
