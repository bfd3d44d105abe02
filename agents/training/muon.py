"""Muon: steps whose matrices are orthogonal, so that every direction of a hidden layer learns alike.

The gradient of a matrix is mostly of low rank: what is common to all questions outweighs what tells them apart, and
an optimizer that looks at one number at a time follows it. Muon (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/) takes the momentum M = U S V', and steps along U V'. As PyTorch's own
(`torch.optim.Muon`, from 2.9 on, with adjust_lr_fn="match_rms_adamw"), but in the parameters' own precision; stacks of
matrices are taken too, and alike matrices are made orthogonal together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.775, 2.0315)
"""Of the quintic that brings singular values towards 1 (Jordan et al. 2024)."""
RMS = 0.2
"""Root mean square of a step over the learning rate, about that of Adam (Liu et al. 2025, "Muon is Scalable for LLM
Training", section 2.2), so that both take the same learning rate."""
SMALLEST = 16
"""Rows and columns from which on a parameter counts as a matrix, not as a table of a few vectors."""


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """About U V' of matrices U S V', singular values between 0.7 and 1.2, by Newton-Schulz iterations.

    Args:
        matrix: (N, rows, columns), rows at most columns.
        steps: iterations.

    Returns:
        (N, rows, columns).
    """
    a, b, c = COEFFICIENTS
    x = matrix / matrix.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):  # x <- a x + (b s + c s²) x, s = x x'
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x


class Muon(torch.optim.Optimizer):
    """Muon, for matrices and stacks of them (…, rows, columns).

    Args:
        parameters: of two dimensions at least, or groups of them.
        lr: learning rate.
        weight_decay: decoupled.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], lr: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One step of all parameters that have a gradient."""
        for group in self.param_groups:
            moving = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameter, direction in zip(moving, directions([self._ahead(p) for p in moving]), strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(direction, alpha=RMS * group["lr"] * max(parameter.shape[-2:]) ** 0.5)

    def _ahead(self, parameter: nn.Parameter) -> Tensor:
        """Nesterov's momentum."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        return parameter.grad.lerp(momentum, MOMENTUM)


def directions(moments: list[Tensor]) -> list[Tensor]:
    """The orthogonal matrices nearest to these, (…, rows, columns) each; alike ones are computed together."""
    wide = [m if m.shape[-2] <= m.shape[-1] else m.mT for m in moments]
    stacks = [m.reshape(-1, *m.shape[-2:]) for m in wide]
    alike: dict[torch.Size, list[Tensor]] = {}
    for stack in stacks:
        alike.setdefault(stack.shape[1:], []).append(stack)
    done = {shape: iter(orthogonal(torch.cat(s)).split([len(x) for x in s])) for shape, s in alike.items()}
    found = [next(done[stack.shape[1:]]).reshape(m.shape) for stack, m in zip(stacks, wide, strict=True)]
    return [f if m.shape[-2] <= m.shape[-1] else f.mT for f, m in zip(found, moments, strict=True)]


def matrices(agent: Any) -> list[nn.Parameter]:
    """The parameters that Muon is for: hidden matrices of an agent's encoders, core and memory.

    Word vectors, tables, biases, heads and the baseline are better left to Adam (Jordan et al. 2024). A module whose
    own parameters are tables of vectors says so by an attribute `tables_of_vectors`.
    """
    tables = [m for m in agent.modules() if isinstance(m, nn.Embedding) or getattr(m, "tables_of_vectors", False)]
    ends = [part for part in (agent.heads, agent.baseline) if part is not None]
    kept = {id(p) for m in tables for p in m.parameters(recurse=False)} | {id(p) for m in ends for p in m.parameters()}
    return [p for p in agent.parameters() if id(p) not in kept and p.dim() in (2, 3) and min(p.shape[-2:]) >= SMALLEST]
