"""Episodic memory: one key-value slot a step, written through a learned gate, read by content in several hops.

Memory networks (Sukhbaatar et al. 2015) read in hops: what was recalled becomes part of the next query. Key-value
memories (Miller et al. 2016) address by one vector and answer with another. Here every hop has slots of its own: step t
enters as x_0 = W input; hop l writes the key and the value of x_l, recalls from all that it has written so far, and
adds what it recalled, x_{l+1} = x_l + recall. With shared weights, all steps of an episode side by side are a causal
Universal Transformer (Dehghani et al. 2019), and `read_episodes` computes them so.

Attention filters what is stored, and filters it again when it is recalled. The gate g = sigmoid(w . x_0 + b) of a step
is stored with its slot, and the weight of a slot is proportional to g exp(q . k / sqrt(d) + bias(age)): the hops never
recall a step that was written with gate 0. Beside the hops, `associations` adds recalls without a softmax, see
`memory.association`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory import ring
from memory.association import Association
from memory.attention_block import TIMES, AttentionBlock, age_buckets, recall_in_hops
from memory.base import Memory, MemoryState, Watch
from memory.precision import full_precision


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
        slots: steps that can be stored.
        width: size of the residual stream and of what is read.
        heads: heads of attention; divides `width`.
        hops: times that the memory is read at a step.
        shared: whether the hops share their weights; an embedding of the hop tells them which one they are.
        feedforward: width of the feedforward net of each hop, in multiples of `width`; 0 for none.
        dropout: rate on what each hop and its net add to the stream.
        gate: whether the gate is learned; otherwise everything is written with gate 1.
        time: what the age of a slot changes: "none", "age" or "relative"; see `AttentionBlock`.
        associations: hops of the chains without a softmax, of half the width; 0 for none.
        share: the part that each earlier step has in what these chains recall; 0 for their mean; see `Association`.
        alike: how sharply a step recalls at first those that are like it, 0 for not at all; see `AttentionBlock`.

    Raises:
        ValueError: for sizes below one, heads that do not divide the width, an unknown `time`, or `alike` below 0.
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
        share: float = 0.0,
        alike: float = 0.0,
    ) -> None:
        super().__init__()
        if min(input_size, slots, width, heads, hops) < 1 or min(feedforward, associations) < 0:
            raise ValueError(
                "input_size, slots, width, heads and hops must be at least 1, feedforward and associations at least 0, "
                f"got {input_size}, {slots}, {width}, {heads}, {hops}, {feedforward} and {associations}"
            )
        if share and not associations:
            raise ValueError(f"share is of what associations recall, and there are none: got share={share!r}")
        for name, number in (("share", share), ("alike", alike)):
            if not 0 <= number < math.inf:
                raise ValueError(f"{name} must be a number of at least 0, got {number!r}")
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
            AttentionBlock(width, heads, feedforward, dropout, time, alike) for _ in range(1 if shared else hops)
        )
        self.norm = nn.LayerNorm(width)
        chains = (input_size, width // 2, associations, width, share)
        self.association = Association(*chains) if associations else None

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
        state = self.begin(write, query, state, episode_start)
        age = ring.slot_ages(state["time"], self.slots)
        after: dict[str, list[Tensor]] = {}

        def put(name: str, new: Tensor, hop: int | None = None) -> Tensor:
            before = state[name] if hop is None else state[name][:, hop]
            after.setdefault(name, []).append(ring.put(before, new, age))
            return after[name][-1]

        writes = write[:, None]
        queries = writes if query is write else query[:, None]
        read, gate, weights = self._read(writes, queries, state["time"][:, None], age[:, None], put)
        kept = {name: torch.stack(hops, 1) if name in ("keys", "values") else hops[0] for name, hops in after.items()}
        return read[:, 0], kept | {
            "time": state["time"] + 1,
            "read": torch.stack(weights, 1)[:, :, 0],
            "gate": gate[:, 0],
        }

    def read_episodes(self, writes: Tensor, queries: Tensor, steps: Tensor | None = None) -> Tensor:
        """All steps of whole fresh episodes at once, without a loop over time; see `Memory.read_episodes`.

        The last hop computes the wanted steps alone. Fastest where the slots are no more than the steps.
        """
        self.check_steps(writes, queries, None, None)
        time, age = ring.episode_ages(writes)
        first = writes.transpose(0, 1)
        asked = first if queries is writes else queries.transpose(0, 1)
        return self._read(first, asked, time, age, lambda _, new, hop=None: new, steps)[0].transpose(0, 1)

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
        self,
        writes: Tensor,
        queries: Tensor,
        time: Tensor,
        age: Tensor,
        put: Callable[..., Tensor],
        steps: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Steps side by side, episode first.

        Args:
            writes: (N, T, input_size).
            queries: (N, T, input_size).
            time: (N or 1, T) int64, the number of each step in its episode.
            age: (N or 1, T, M) int64, of the M slots that each step may recall.
            put: from a name of the state, what the steps write there (N, ..., T, size), and the hop, to the M slots.
            steps: (Q, N) int64, the steps whose reads are wanted; None for all.

        Returns:
            reads (N, Q or T, width), gates (N, T, 1), and of each hop the weights (N, 1, M) of the last read.
        """
        dtype = self.hop_embedding.dtype  # under autocast, products of matrices alone have another
        x = self.embed(writes).to(dtype)
        y = x if queries is writes else self.embed(queries).to(dtype)
        gate = x.new_zeros(*x.shape[:2], 1)
        if self.write_gate is not None:
            gate = F.logsigmoid(self.write_gate(x).to(dtype))
        hidden = ring.hidden(age, time, self.slots)
        offset = x.new_zeros(hidden.shape).masked_fill(hidden, -math.inf)[:, None]
        bucket = self.bucket[age.clamp(0, self.slots - 1)]

        def slots(key: Tensor, value: Tensor, hop: int) -> tuple[Tensor, Tensor]:
            return put("keys", key, hop), put("values", value, hop)

        hops = self.stages, self.hop_embedding
        y, weights = recall_in_hops(*hops, x, y, slots, put("log_gate", gate), offset, bucket, steps)
        read = self.norm(y)
        if self.association is not None:
            earlier = ~hidden & (age > 0)
            if steps is not None:
                queries, earlier = ring.at_steps(queries, steps), ring.at_steps(earlier, steps)
            with full_precision(x.device):  # nothing bounds a product of recalls as a softmax does
                written = put("associated", self.association.project(writes.to(dtype)))
                read = read + self.association(queries.to(dtype), written, earlier)
        return read, gate.exp(), weights
