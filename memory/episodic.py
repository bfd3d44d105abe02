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


def episode_first(writes: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """(T, N, ...) to (N, T, ...); one tensor stays one."""
    first = writes.transpose(0, 1)
    return first, first if queries is writes else queries.transpose(0, 1)


class Episodic(Memory):
    """Slots of keys and values, a gate on what is written, several hops of recall.

    Write and query are embedded by the same map. Where they are two tensors they are two streams through the same hops:
    keys, values and gate come from the write stream, what is read from the query stream. Where they are one tensor,
    there is one stream.

    The state is {"keys", "values": (N, hops, heads, slots, width / heads), "log_gate": (N, slots, 1), "time": (N,)
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
            "log_gate": like.new_zeros(batch, self.slots, 1),
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
        span = ring.one_step(self.begin(write, query, state, episode_start), self.slots)
        writes = write[:, None]
        read, items = self._read(span, writes, writes if query is write else query[:, None])
        return read[:, 0], self._after(span, items)

    def unroll(
        self, writes: Tensor, queries: Tensor, state: MemoryState | None = None, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Many steps at once, without a loop over time; see `Memory.unroll`. Fastest with None for fresh rows."""
        self.check_steps(writes, queries, state, episode_start)
        span = ring.many_steps(writes, state, episode_start, self.slots)
        read, items = self._read(span, *episode_first(writes, queries))
        return read.transpose(0, 1), self._after(span, items)

    def read_episodes(self, writes: Tensor, queries: Tensor, steps: Tensor | None = None) -> Tensor:
        """Reads of whole fresh episodes; see `Memory.read_episodes`. The last hop computes the wanted steps alone."""
        self.check_steps(writes, queries, None, None)
        span = ring.many_steps(writes, None, None, self.slots)
        return self._read(span, *episode_first(writes, queries), steps)[0].transpose(0, 1)

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

    def _read(
        self, span: ring.Span, writes: Tensor, queries: Tensor, steps: Tensor | None = None
    ) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """All steps of a span at once, (N, T, ...): reads (N, Q or T, width), and all items and weights, hop by hop."""
        x = self.embed(writes)
        y = x if queries is writes else self.embed(queries)
        gate = x.new_zeros(*x.shape[:2], 1) if self.write_gate is None else F.logsigmoid(self.write_gate(x))
        hidden = ring.hidden(span.age, span.time, self.slots)
        items: dict[str, list[Tensor]] = {"keys": [], "values": [], "log_gate": [span.items(gate, "log_gate")]}

        def slots(key: Tensor, value: Tensor, hop: int) -> tuple[Tensor, Tensor]:
            items["keys"].append(span.items(key, "keys", hop))
            items["values"].append(span.items(value, "values", hop))
            return items["keys"][-1], items["values"][-1]

        offset = x.new_zeros(hidden.shape).masked_fill(hidden, -math.inf)[:, None]
        bucket = self.bucket[span.age.clamp(0, self.slots - 1)]
        hops = self.stages, self.hop_embedding
        y, items["read"] = recall_in_hops(*hops, x, y, slots, items["log_gate"][0], offset, bucket, steps)
        read, items["gate"] = self.norm(y), [gate[:, -1].exp()]
        if self.association is not None:
            items["associated"] = [span.items(self.association.project(writes), "associated")]
            earlier = ~hidden & (span.age > 0)
            if steps is not None:
                queries, earlier = ring.at_steps(queries, steps), ring.at_steps(earlier, steps)
            read = read + self.association(queries, items["associated"][0], earlier)
        return read, items

    def _after(self, span: ring.Span, items: dict[str, list[Tensor]]) -> MemoryState:
        """The state after the last step."""
        gate, weights = items["gate"][0], torch.stack(items["read"], 1)[:, :, 0]
        state = {name: torch.stack([span.kept(hop) for hop in items[name]], 1) for name in ("keys", "values")}
        state |= {name: span.kept(items[name][0]) for name in ("log_gate", "associated") if name in items}
        return state | {"time": span.time[:, -1].expand(len(gate)) + 1, "read": span.by_slot(weights), "gate": gate}
