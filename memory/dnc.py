"""The Differentiable Neural Computer's memory: usage, allocation, temporal links (Graves et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

from memory import addressing
from memory.addressing import Interface, content_weights, oneplus
from memory.base import Memory, MemoryState, Watch
from memory.links import follow_links, match_slots
from memory.precision import full_precision_step


class DNC(Memory):
    """One write head that finds like or free slots; read heads by content or along the order of writing.

    Write and query (a controller's output) are mapped linearly to the interface vector (Methods, interface parameters):
    read keys, their strengths and masks, read modes and sharpness come from the query, all else from the write.

    State: `memory` (N, slots, width), `usage`, `write` (N, slots), `write_gate` (N, 1), `reading` (N, reads, slots),
    `read` (N, read_size), and with links `precedence` (N, slots), `links` (N, slots, slots).

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
        self.interface = Interface(
            input_size,
            {
                "keys": (reads * width, width),
                "strengths": (reads, 1),
                "masks": (reads * width, width) if masked else (0, 0),
                "erase": (0, width),
                "add": (0, width),
                "free": (0, reads),  # what is freed is written over
                "allocate": (0, 1),
                "write_gate": (0, 1),
                "modes": (3 * reads if links else 0, 0),
                "sharpness": (2 * reads if sharpen else 0, 0),  # forward, backward
            },
        )

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

    @full_precision_step
    def forward(
        self, write: Tensor, query: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Writes, then reads what is now there (Methods)."""
        state = self.begin(write, query, state, episode_start)
        batch, heads = write.shape[0], self.reads + 1
        given = self.interface(write, query)
        lookup = [given["keys"].view(batch, heads, self.width), oneplus(given["strengths"])]
        if self.masked:
            lookup.append(torch.sigmoid(given["masks"]).view(batch, heads, self.width))
        find = content_weights if self.masked else match_slots
        gates = (torch.sigmoid(given[name]) for name in ("erase", "free", "allocate", "write_gate"))
        erase, free, allocate, write_gate = gates
        retained = addressing.retention(state["reading"], free)
        usage = addressing.usage(state["usage"], state["write"], retained)
        content = find(state["memory"], *(part[:, -1:] for part in lookup)).squeeze(1)
        writing = addressing.write_weights(content, addressing.allocation(usage), allocate, write_gate)
        memory = state["memory"] * retained.unsqueeze(2) if self.deallocate else state["memory"]
        change = torch.addcmul(given["add"].unsqueeze(1), erase.unsqueeze(1), memory, value=-1)
        memory = memory + writing.unsqueeze(2) * change
        after = {"memory": memory, "usage": usage, "write": writing, "write_gate": write_gate}

        reading = find(memory, *(part[:, :-1] for part in lookup))
        if self.links:
            after["links"], forward, backward = follow_links(
                state["links"], state["precedence"], writing, state["reading"]
            )
            after["precedence"] = addressing.precedence(state["precedence"], writing)
            if self.sharpen:
                ahead, back = oneplus(given["sharpness"]).chunk(2, 1)
                forward, backward = addressing.sharpen(forward, ahead), addressing.sharpen(backward, back)
            modes = torch.softmax(given["modes"].view(batch, self.reads, 3), -1)
            reading = addressing.read_weights(backward, reading, forward, modes)
        after["reading"] = reading
        after["read"] = (reading @ memory).flatten(1)
        return after["read"], after

    def watch(self, state: MemoryState) -> Watch:
        """`read` (N, reads, slots), `write` (N, slots), `gate` (N, 1) and `contents`."""
        return Watch(read=state["reading"], write=state["write"], gate=state["write_gate"], contents=state["memory"])
