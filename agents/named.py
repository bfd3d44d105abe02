"""Modules by names of anybody's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn


class NamedModules(nn.Module):
    """Modules by name, as `torch.nn.ModuleDict`, which refuses names of its own methods, such as "values" or "update".

    Args:
        modules: by name, without dots; in a state dict they are called `for_<name>`.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = tuple(modules)
        for name, module in modules.items():
            self.add_module(f"for_{name}", module)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, f"for_{name}")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def get(self, name: str) -> Any:
        """The module of this name; None where there is none."""
        return self[name] if name in self.names else None

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def items(self) -> list[tuple[str, Any]]:
        """Names and modules, in order."""
        return [(name, self[name]) for name in self.names]
