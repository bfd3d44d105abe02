"""The Differentiable Neural Computer's memory: usage, allocation, temporal links (Graves et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from memory import addressing
from memory.addressing import content_weights, oneplus
from memory.base import Memory, MemoryState
from memory.compiled import HEADS
from memory.compiled.step import compiled, step
from memory.links import follow_links, match_slots, write_slots


class DNC(Memory):
    """One write head that finds like or free slots; read heads by content or along the order of writing.

    The input (a controller's output) is mapped linearly to the interface vector (Methods, interface parameters).

    State: `memory` (N, slots, width), `usage`, `write` (N, slots), `write_gate` (N, 1), `reading` (N, reads, slots),
    `read` (N, read_size), and with links `precedence` (N, slots), `links` (N, slots, slots).

    With links, without options and with up to four read heads, a step is compiled on the host (`memory.compiled`).

    Args:
        input_size: width of what it is given.
        slots: number of slots, the paper's N.
        width: of a slot, the paper's W.
        reads: read heads, the paper's R.
        links: temporal links; without them it reads by content alone and a step costs slots * width, not slots².
        masked: every lookup chooses what of the slots it compares (Csordás & Schmidhuber 2019, section 3.1).
        deallocate: what is freed is also wiped (section 3.2).
        sharpen: the weights along the links are sharpened (section 3.3); needs links.

    Raises:
        ValueError: where a size is below 1, or `sharpen` is asked for without links.
    """

    def __init__(
        self,
        input_size: int,
        *,
        slots: int = 128,
        width: int = 32,
        reads: int = 4,
        links: bool = True,
        masked: bool = False,
        deallocate: bool = False,
        sharpen: bool = False,
    ) -> None:
        super().__init__()
        if min(input_size, slots, width, reads) < 1:
            raise ValueError(f"sizes must be at least 1, got {input_size=}, {slots=}, {width=}, {reads=}")
        if sharpen and not links:
            raise ValueError("sharpen=True sharpens the links: it needs links=True")
        self.input_size, self.read_size = input_size, reads * width
        self.slots, self.width, self.reads = slots, width, reads
        self.links, self.masked, self.deallocate, self.sharpen = links, masked, deallocate, sharpen
        heads = reads + 1
        self._sizes = (
            heads * width,  # keys: of the reads, then of the write
            heads,  # their strengths
            heads * width if masked else 0,  # their masks
            width,  # erase vector
            width,  # write vector
            reads,  # free gates
            1,  # allocation gate
            1,  # write gate
            3 * reads if links else 0,  # read modes
            2 * reads if sharpen else 0,  # sharpness forward, backward
        )
        self._plain = links and reads <= HEADS and not (masked or deallocate or sharpen)
        self._lookup = content_weights if masked else match_slots
        self.interface = nn.Linear(input_size, sum(self._sizes))

    def initial_state(self, batch: int) -> MemoryState:
        """Nothing written, nothing read: zeros, as in the paper."""
        weight = self.interface.weight
        state = {
            "memory": weight.new_zeros(batch, self.slots, self.width),
            "usage": weight.new_zeros(batch, self.slots),
            "write": weight.new_zeros(batch, self.slots),
            "write_gate": weight.new_zeros(batch, 1),
            "reading": weight.new_zeros(batch, self.reads, self.slots),
            "read": weight.new_zeros(batch, self.read_size),
        }
        if self.links:
            state["precedence"] = weight.new_zeros(batch, self.slots)
            state["links"] = weight.new_zeros(batch, self.slots, self.slots)
        return state

    def forward(
        self, input: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Writes, then reads what is now there (Methods)."""
        state = self.begin(input, state, episode_start)
        asked = self.interface(input)
        if self._plain and compiled(state["memory"]):
            return step(asked, state, self.slots, self.width, self.reads)
        batch, heads = input.shape[0], self.reads + 1
        keys, strengths, masks, erase, add, free, allocate, write_gate, modes, sharpness = asked.split(self._sizes, 1)
        keys, strengths = keys.view(batch, heads, self.width), oneplus(strengths)
        erase, free = torch.sigmoid(erase), torch.sigmoid(free)
        allocate, write_gate = torch.sigmoid(allocate), torch.sigmoid(write_gate)
        query = (
            (keys, strengths, torch.sigmoid(masks).view(batch, heads, self.width)) if self.masked else (keys, strengths)
        )
        retained = addressing.retention(state["reading"], free)
        usage = addressing.usage(state["usage"], state["write"], retained)
        content = self._lookup(state["memory"], *(part[:, -1:] for part in query)).squeeze(1)
        write = addressing.write_weights(content, addressing.allocation(usage), allocate, write_gate)
        memory = state["memory"] * retained.unsqueeze(2) if self.deallocate else state["memory"]
        memory = write_slots(memory, write, erase, add)
        after = {"memory": memory, "usage": usage, "write": write, "write_gate": write_gate}

        reading = self._lookup(memory, *(part[:, :-1] for part in query))
        if self.links:
            after["links"], forward, backward = follow_links(
                state["links"], state["precedence"], write, state["reading"]
            )
            after["precedence"] = addressing.precedence(state["precedence"], write)
            if self.sharpen:
                ahead, back = oneplus(sharpness).chunk(2, 1)
                forward, backward = addressing.sharpen(forward, ahead), addressing.sharpen(backward, back)
            reading = addressing.read_weights(
                backward, reading, forward, torch.softmax(modes.view(batch, self.reads, 3), -1)
            )
        after["reading"] = reading
        after["read"] = (reading @ memory).flatten(1)
        return after["read"], after

    def weights(self, state: MemoryState) -> dict[str, Tensor]:
        """`read` (N, reads, slots), `write` (N, slots), `write_gate` (N, 1)."""
        return {"read": state["reading"], "write": state["write"], "write_gate": state["write_gate"]}
