"""The DNC's formulas one by one, as public PyTorch ports write them: the oracle of the tests of `memory.dnc`.

Autograd differentiates everything, every intermediate of (N, S, S) included. It shares no line with `memory/`; its
parameters are those of `memory.dnc.DNC(..., links=True)` without options, so that weights can be loaded from one into
the other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6


def similarity(memory: Tensor, keys: Tensor) -> Tensor:
    """Cosine of (N, R, W) keys with (N, S, W) slots: (N, R, S)."""
    dot = torch.bmm(memory, keys.transpose(1, 2))
    slots = torch.sqrt((memory * memory).sum(2) + EPSILON).unsqueeze(2)
    lengths = torch.sqrt((keys * keys).sum(2) + EPSILON).unsqueeze(1)
    return (dot / (slots * lengths)).transpose(1, 2)


class ReferenceDNC(nn.Module):
    """The memory of Graves et al. 2016, Methods, in the order of the paper.

    Args:
        input_size: width of what it is given.
        slots: number of slots.
        width: of a slot.
        reads: read heads.
    """

    def __init__(self, input_size: int, slots: int, width: int, reads: int) -> None:
        super().__init__()
        self.slots, self.width, self.reads = slots, width, reads
        self.interface = nn.Linear(input_size, reads * width + 3 * width + 5 * reads + 3)
        self.off_diagonal = nn.Buffer(1 - torch.eye(slots).unsqueeze(0), persistent=False)

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Zeros."""
        n, s, r = batch, self.slots, self.reads
        shapes = {
            "memory": (n, s, self.width),
            "usage": (n, s),
            "write": (n, s),
            "precedence": (n, s),
            "links": (n, s, s),
            "reading": (n, r, s),
        }
        return {name: self.interface.weight.new_zeros(shape) for name, shape in shapes.items()}

    def forward(self, write: Tensor, query: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """One step: (N, input_size) to the read vectors (N, R * W); `query` must equal `write`."""
        n, r, w, s = write.shape[0], self.reads, self.width, self.slots
        parts = self.interface(write).split([r * w, w, r, 1, w, w, r, 1, 1, 3 * r], dim=1)
        read_keys, write_key = parts[0].view(n, r, w), parts[1].view(n, 1, w)
        read_strengths, write_strength = 1 + F.softplus(parts[2]), 1 + F.softplus(parts[3])
        erase, write_vector = torch.sigmoid(parts[4]).unsqueeze(1), parts[5].unsqueeze(1)
        free_gates, allocation_gate = torch.sigmoid(parts[6]), torch.sigmoid(parts[7])
        write_gate, modes = torch.sigmoid(parts[8]), torch.softmax(parts[9].view(n, r, 3), dim=2)

        retention = torch.prod(1 - free_gates.unsqueeze(2) * state["reading"], dim=1)
        usage = (state["usage"] + state["write"] - state["usage"] * state["write"]) * retention

        scaled = EPSILON + (1 - EPSILON) * usage
        ordered, free_list = torch.sort(scaled, dim=1, stable=True)
        product = torch.cumprod(torch.cat([torch.ones_like(ordered[:, :1]), ordered], dim=1), dim=1)[:, :-1]
        allocation = ((1 - ordered) * product).gather(1, free_list.argsort(dim=1))

        content = torch.softmax(similarity(state["memory"], write_key) * write_strength.unsqueeze(2), dim=2)
        writing = write_gate * (allocation_gate * allocation + (1 - allocation_gate) * content.squeeze(1))
        memory = state["memory"] * (1 - writing.unsqueeze(2) * erase) + torch.bmm(writing.unsqueeze(2), write_vector)

        write_i, write_j = writing.unsqueeze(2), writing.unsqueeze(1)
        links = (1 - write_i - write_j) * state["links"] + write_i * state["precedence"].unsqueeze(1)
        links = links * self.off_diagonal.expand(n, s, s)
        precedence = (1 - writing.sum(dim=1, keepdim=True)) * state["precedence"] + writing

        forward = torch.matmul(links, state["reading"].transpose(1, 2)).transpose(1, 2)
        backward = torch.matmul(state["reading"], links)
        content = torch.softmax(similarity(memory, read_keys) * read_strengths.unsqueeze(2), dim=2)
        reading = modes[:, :, 0:1] * backward + modes[:, :, 1:2] * content + modes[:, :, 2:3] * forward
        read = torch.bmm(reading, memory).view(n, r * w)
        after = {
            "memory": memory,
            "usage": usage,
            "write": writing,
            "precedence": precedence,
            "links": links,
            "reading": reading,
        }
        return read, after
