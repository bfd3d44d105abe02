"""Episodic memory: one key-value slot a step, written through a learned gate, read by content in several hops.

Memory networks (Sukhbaatar et al. 2015) read in hops: what was recalled becomes part of the next query. Key-value
memories (Miller et al. 2016) address by one vector and answer with another. Here every hop has slots of its own: step t
enters as x_0 = W input; hop l writes the key and the value of x_l, recalls from all that it has written so far, and
adds what it recalled, x_{l+1} = x_l + recall. With shared weights, all steps of an episode side by side are a causal
Universal Transformer (Dehghani et al. 2019), and `unroll` computes them so.

Attention filters what is stored, and filters it again when it is recalled. The gate g = sigmoid(w . x_0 + b) of a step
is stored with its slot, and the weight of a slot is proportional to g exp(q . k / sqrt(d) + bias(age)): the hops never
recall a step that was written with gate 0. Beside the hops, `associations` adds recalls without a softmax, see
`memory.association`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory import ring
from memory.association import Association
from memory.attention_block import TIMES, AttentionBlock, age_buckets, recall_in_hops
from memory.base import Memory, MemoryState, Watch

SLOTS = {"keys": 3, "values": 3, "log_gate": 1, "associated": 2}
"""The dimension of the slots in what the state holds of them."""


class Episodic(Memory):
    """Slots of keys and values, a gate on what is written, several hops of recall.

    Write and query are embedded by the same map. Where they are two tensors they are two streams through the same hops:
    keys, values and gate come from the write stream, what is read from the query stream. Where they are one tensor,
    there is one stream.

    The state is {"keys", "values": (N, hops, heads, slots, width / heads), "log_gate": (N, slots), "time": (N,)
    int64, steps since the episode began, "read": (N, hops, slots), the last weights, mean over heads, "gate": (N, 1),
    the last gate}, and with associations "associated" (N, 3 associations + 2, slots, width / 2). Slots are used in
    turn, and the oldest is overwritten.

    Args:
        input_size: size of what comes in at a step.
        slots: steps that can be stored. `unroll` is fastest where it is no more than the longest episode.
        width: size of the residual stream and of what is read.
        heads: heads of attention; divides `width`.
        hops: times that the memory is read at a step.
        shared: whether the hops share their weights; an embedding of the hop tells them which one they are.
        feedforward: width of the feedforward net of each hop, in multiples of `width`; 0 for none.
        dropout: rate on what each hop and its net add to the stream.
        gate: whether the gate is learned; otherwise everything is written with gate 1.
        time: what the age of a slot changes: "none", "age" or "relative"; see `AttentionBlock`.
        associations: hops of the chains without a softmax, of half the width; 0 for none.

    Raises:
        ValueError: for sizes below one, heads that do not divide the width, or an unknown `time`.
    """

    def __init__(
        self,
        input_size: int,
        *,
        slots: int = 256,
        width: int = 128,
        heads: int = 4,
        hops: int = 3,
        shared: bool = True,
        feedforward: int = 2,
        dropout: float = 0.0,
        gate: bool = True,
        time: str = "age",
        associations: int = 0,
    ) -> None:
        super().__init__()
        if min(input_size, slots, width, heads, hops) < 1 or min(feedforward, associations) < 0:
            raise ValueError(
                "input_size, slots, width, heads and hops must be at least 1, feedforward and associations at least 0, "
                f"got {input_size}, {slots}, {width}, {heads}, {hops}, {feedforward} and {associations}"
            )
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
        if time not in TIMES:
            raise ValueError(f"time must be one of {', '.join(TIMES)}, got {time!r}")
        self.input_size, self.read_size = input_size, width
        self.slots, self.heads, self.hops = slots, heads, hops
        self.bucket: Tensor
        self.register_buffer("bucket", age_buckets(slots), persistent=False)
        self.embed = nn.Linear(input_size, width)
        self.write_gate = nn.Linear(width, 1) if gate else None
        if self.write_gate is not None:
            nn.init.constant_(self.write_gate.bias, math.log(0.9 / 0.1))
        self.hop_embedding = nn.Parameter(torch.zeros(hops, width))
        self.stages = nn.ModuleList(
            AttentionBlock(width, heads, feedforward, dropout, time) for _ in range(1 if shared else hops)
        )
        self.norm = nn.LayerNorm(width)
        self.association = Association(input_size, width // 2, associations, width) if associations else None

    def initial_state(self, batch: int) -> MemoryState:
        """Nothing written yet."""
        like = self.embed.weight
        slots = like.new_zeros(batch, self.hops, self.heads, self.slots, self.read_size // self.heads)
        state = {
            "keys": slots,
            "values": torch.zeros_like(slots),
            "log_gate": like.new_zeros(batch, self.slots),
            "time": torch.zeros(batch, dtype=torch.int64, device=like.device),
            "read": like.new_zeros(batch, self.hops, self.slots),
            "gate": like.new_zeros(batch, 1),
        }
        if (chains := self.association) is not None:
            state["associated"] = like.new_zeros(batch, chains.written_maps, self.slots, chains.width)
        return state

    def forward(
        self, write: Tensor, query: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """One step: writes, then reads; see `Memory.forward`."""
        state = self.begin(write, query, state, episode_start)
        time = state["time"]
        age = ring.slot_ages(time, self.slots)[:, None]
        here = (age == 0).mT
        x = self.embed(write)[:, None]
        y = x if query is write else self.embed(query)[:, None]
        gate = self._log_gate(x)
        log_gate = torch.where(here[..., 0], gate, state["log_gate"])
        hidden = ring.hidden(age, time[:, None], self.slots)
        keys, values = [], []

        def slots(key: Tensor, value: Tensor, hop: int) -> tuple[Tensor, Tensor]:
            keys.append(torch.where(here[:, None], key, state["keys"][:, hop]))
            values.append(torch.where(here[:, None], value, state["values"][:, hop]))
            return keys[-1], values[-1]

        offset, bucket = ring.unseen(hidden, x), self.bucket[age]
        y, reads = recall_in_hops(self.stages, self.hop_embedding, x, y, slots, log_gate, offset, bucket)
        state_after = {
            "keys": torch.stack(keys, 1),
            "values": torch.stack(values, 1),
            "log_gate": log_gate,
            "time": time + 1,
            "read": torch.stack(reads, 1)[:, :, 0],
            "gate": gate.exp(),
        }
        read = self.norm(y)
        if self.association is not None:
            written = torch.where(here[:, None], self.association.project(write[:, None]), state["associated"])
            read = read + self.association(query[:, None], written, ~hidden & (age > 0))
            state_after["associated"] = written
        return read[:, 0], state_after

    def unroll(
        self, writes: Tensor, queries: Tensor, state: MemoryState | None = None, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Many steps at once, without a loop over time; see `Memory.unroll`. Fastest with None for fresh rows."""
        old = ring.begin(writes, queries, state, episode_start, self.input_size)
        time = ring.step_times(len(writes), old.get("time"), episode_start, writes.device)
        read, by_hop, new = self._steps(writes, queries, old, time)
        last = time[:, -1].expand(writes.shape[1])
        started = None if episode_start is None else episode_start.any(0)
        new |= {name: torch.stack(by_hop[name], 1) for name in ("keys", "values")}
        state_after = {}
        for name, value in new.items():
            dim = SLOTS[name]
            before = old[name].movedim(dim, 1) if old else None
            state_after[name] = ring.fill(value.movedim(dim, 1), before, last, started, self.slots).movedim(1, dim)
        weights = ring.by_slot(torch.stack(by_hop["read"], 1), time, bool(old), self.slots)
        last_step = {"time": last + 1, "read": weights[:, :, -1], "gate": new["log_gate"][:, -1:].exp()}
        return read, state_after | last_step

    def read_episodes(self, writes: Tensor, queries: Tensor, steps: Tensor | None = None) -> Tensor:
        """Reads of whole fresh episodes; see `Memory.read_episodes`. The last hop computes the wanted steps alone."""
        ring.begin(writes, queries, None, None, self.input_size)
        return self._steps(writes, queries, {}, ring.step_times(len(writes), None, None, writes.device), steps)[0]

    def watch(self, state: MemoryState) -> Watch:
        """All of `Watch`: `read` is the mean over heads, `contents` the last hop's values, heads side by side."""
        here = ring.last_written(state["time"], self.slots)
        return Watch(
            read=state["read"],
            write=here * state["gate"],
            gate=state["gate"],
            contents=state["values"][:, -1].transpose(1, 2).flatten(2),
            step=ring.stored_steps(state["time"], self.slots),
        )

    def _log_gate(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[:2]) if self.write_gate is None else F.logsigmoid(self.write_gate(x))[..., 0]

    def _steps(
        self, writes: Tensor, queries: Tensor, old: MemoryState, time: Tensor, steps: Tensor | None = None
    ) -> tuple[Tensor, dict[str, list[Tensor]], dict[str, Tensor]]:
        """All steps side by side, after those of the state `old`, which is {} for fresh rows.

        Returns:
            reads (Q or T, N, width); "keys", "values" and "read" (the weights) hop by hop; what else was written.
        """
        one, writes = queries is writes, writes.transpose(0, 1)
        queries = writes if one else queries.transpose(0, 1)
        x = self.embed(writes)
        y = x if one else self.embed(queries)
        gate = self._log_gate(x)
        age = ring.recalled_ages(writes.shape[1], old.get("time"), self.slots, writes.device)
        hidden = ring.hidden(age, time, self.slots)
        by_hop: dict[str, list[Tensor]] = {"keys": [], "values": []}

        def slots(key: Tensor, value: Tensor, hop: int) -> tuple[Tensor, Tensor]:
            by_hop["keys"].append(key)
            by_hop["values"].append(value)
            if not old:
                return key, value
            return torch.cat([old["keys"][:, hop], key], 2), torch.cat([old["values"][:, hop], value], 2)

        log_gate = torch.cat([old["log_gate"], gate], 1) if old else gate
        offset, bucket = ring.unseen(hidden, x), self.bucket[age.clamp(0, self.slots - 1)]
        hops = self.stages, self.hop_embedding
        y, by_hop["read"] = recall_in_hops(*hops, x, y, slots, log_gate, offset, bucket, steps)
        read, new = self.norm(y), {"log_gate": gate}
        if self.association is not None:
            new["associated"] = self.association.project(writes)
            written = torch.cat([old["associated"], new["associated"]], 2) if old else new["associated"]
            earlier = ~hidden & (age > 0)
            if steps is not None:
                queries, earlier = ring.at_steps(queries, steps), ring.at_steps(earlier, steps)
            read = read + self.association(queries, written, earlier)
        return read.transpose(0, 1), by_hop, new
