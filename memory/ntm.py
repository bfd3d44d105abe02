"""The Neural Turing Machine's memory: content, shift and sharpening (Graves, Wayne & Danihelka 2014)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory.addressing import Interface, content_weights, erase_add, interpolate, oneplus, sharpen, shift
from memory.base import Memory, MemoryState, Watch
from memory.precision import full_precision_step

BLANK = 1e-6
"""What every slot holds at first (Collier & Beel 2018: of constant, learned and random, this learns fastest)."""

FOCUS = 10.0
"""Logit of the first slot at first, for every head; the others have 0. A head that points at all slots alike cannot
move."""

STAY = -2.0
"""Bias of the gate between content (1) and the last place (0) at first. At 0, every step moves half of each head's
weight to slots that are all alike. With both, copying is learned from a fifth of the sequences."""

UNSEEN = 30.0
"""By how much the logit of a slot that was added after training is below the smallest that was trained."""


class NTM(Memory):
    """Heads that find slots by content or by moving from where they were; writing erases, then adds.

    Write and query (a controller's output) are mapped linearly to the parameters of all heads: those of the write heads
    come from the write, those of the read heads from the query. The heads write first, then read what is now there.
    Where each head points at first is learned; before training it is the first slot.

    State: `memory` (N, slots, width), `weights` (N, reads + writes, slots), `read` (N, read_size).

    Weights may be loaded into a memory of more slots than they were trained with, for longer sequences.

    Args:
        input_size: width of what it is given.
        slots: number of slots, the paper's N.
        width: of a slot, the paper's M.
        reads: read heads.
        writes: write heads.
        shift: how far a head can move in one step, in slots.

    Raises:
        ValueError: where a size is below 1, or the slots are fewer than the places a head can move to.
    """

    def __init__(
        self, input_size: int, *, slots: int = 128, width: int = 20, reads: int = 1, writes: int = 1, shift: int = 1
    ) -> None:
        super().__init__()
        if min(input_size, slots, width, reads, writes) < 1 or shift < 0 or slots < 2 * shift + 1:
            raise ValueError(
                "sizes must be at least 1, and slots at least 2 * shift + 1: got "
                f"{input_size=}, {slots=}, {width=}, {reads=}, {writes=}, {shift=}"
            )
        self.input_size, self.read_size = input_size, reads * width
        self.slots, self.width, self.reads, self.writes = slots, width, reads, writes
        heads = reads + writes
        of_each = {"keys": width, "strengths": 1, "gates": 1, "sharpness": 1, "shifts": 2 * shift + 1}
        sizes = {name: (reads * size, writes * size) for name, size in of_each.items()}
        self.interface = Interface(input_size, {**sizes, "erase": (0, writes * width), "add": (0, writes * width)})
        nn.init.xavier_uniform_(self.interface.weight, gain=1.4)
        nn.init.zeros_(self.interface.bias)
        nn.init.constant_(self.interface.parts(self.interface.bias)["gates"], STAY)
        self.initial_weights = nn.Parameter(FOCUS * F.one_hot(torch.zeros(heads, dtype=torch.int64), slots))
        self.initial_read = nn.Parameter(0.01 * torch.randn(self.read_size))

    def _load_from_state_dict(self, weights: dict[str, Any], prefix: str, *args: Any) -> None:
        """Takes weights of fewer slots too: the heads have no weight at first on the slots that are added."""
        name = f"{prefix}initial_weights"
        if name in weights and weights[name].dim() == 2 and (more := self.slots - weights[name].shape[1]) > 0:
            weights[name] = F.pad(weights[name], (0, more), value=float(weights[name].min()) - UNSEEN)
        super()._load_from_state_dict(weights, prefix, *args)

    def initial_state(self, batch: int) -> MemoryState:
        """Blank slots; the heads point where they have learned to."""
        weights = torch.softmax(self.initial_weights, -1)
        return {
            "memory": weights.new_full((batch, self.slots, self.width), BLANK),
            "weights": weights.expand(batch, -1, -1),
            "read": torch.tanh(self.initial_read).expand(batch, -1),
        }

    @full_precision_step
    def forward(
        self, write: Tensor, query: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Addresses (section 3.3), writes (3.2), reads (3.1)."""
        state = self.begin(write, query, state, episode_start)
        batch, heads = write.shape[0], self.reads + self.writes
        given = self.interface(write, query)
        keys = torch.tanh(given["keys"]).view(batch, heads, self.width)
        kernel = torch.softmax(given["shifts"].view(batch, heads, -1), -1)
        erase = torch.sigmoid(given["erase"]).view(batch, self.writes, self.width)
        add = torch.tanh(given["add"]).view(batch, self.writes, self.width)

        weights = content_weights(state["memory"], keys, F.softplus(given["strengths"]))
        weights = interpolate(weights, state["weights"], torch.sigmoid(given["gates"]))
        weights = sharpen(shift(weights, kernel), oneplus(given["sharpness"]))
        reading, writing = weights.split([self.reads, self.writes], 1)
        memory = erase_add(state["memory"], writing, erase, add)
        read = (reading @ memory).flatten(1)
        return read, {"memory": memory, "weights": weights, "read": read}

    def watch(self, state: MemoryState) -> Watch:
        """`read` (N, reads, slots), `write` (N, slots), the sum over the write heads, and `contents`."""
        reading, writing = state["weights"].split([self.reads, self.writes], 1)
        return Watch(read=reading, write=writing.sum(1).clamp(max=1), contents=state["memory"])
