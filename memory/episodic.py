"""Episodic memory: one key-value slot a step, written through a learned gate, read by content in several hops.

Memory networks (Sukhbaatar et al. 2015) read in hops: what was recalled becomes part of the next question.
Key-value memories (Miller et al. 2016) address by one vector and answer with another. Here every hop keeps slots of
its own: step t enters as x_0 = W input, and hop l writes the key and the value of x_l, recalls from all that hop l
has written so far, and adds what it recalled, x_{l+1} = x_l + recall. So what lies in the slots of the second hop is
a line together with what it reminded of. With shared weights, the steps of an episode side by side are a causal
Universal Transformer (Dehghani et al. 2019), and `unroll` computes them so.

Attention filters what is stored, and again what is recalled. The gate g = sigmoid(w . x_0 + b) of a step is kept
with its slot, and the weight of a slot is proportional to g exp(q . k / sqrt(d) + bias(age)): a step written with
gate 0 is never seen again by the hops.

Beside the hops, `associations` lays two chains of recalls without a softmax (`memory.association`): what the hops do
not learn to link, because a softmax hides it from them, the chains do.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory import ring
from memory.association import Association
from memory.base import Memory, MemoryState
from memory.hop import TIMES, Hop, age_buckets


class Episodic(Memory):
    """Slots of keys and values, a gate on what is written, several hops of recall.

    The state is {"keys", "values": (N, hops, heads, slots, width / heads), "log_gate": (N, slots), "time": (N,)
    int64, steps since the episode began, "read": (N, hops, slots), the last weights, mean over heads, "gate": (N, 1),
    the last gate}, and with associations "associated" (N, 3 associations + 2, slots, width / 2). Slots are used in
    turn, and the oldest is overwritten.

    Args:
        input_size: size of what comes in at a step.
        slots: steps that can be kept. `unroll` is fastest where it is no more than the longest episode.
        width: size of the stream and of what is read.
        heads: heads of attention; divides `width`.
        hops: times that the memory is read at a step.
        shared: whether the hops share their weights; an embedding of the hop tells them which one they are.
        feedforward: width of the position-wise net after each hop, in multiples of `width`; 0 for none.
        dropout: rate on what each hop and its net add to the stream.
        gate: whether the gate is learned; otherwise everything is written with gate 1.
        time: what the age of a slot says: "none", "age" or "relative"; see `Hop`.
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
        self.stages = nn.ModuleList(Hop(width, heads, feedforward, dropout, time) for _ in range(1 if shared else hops))
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
        if self.association is not None:
            shape = (batch, self.association.written_maps, self.slots, self.association.width)
            state["associated"] = like.new_zeros(shape)
        return state

    def forward(
        self, input: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """One step: writes the input, and what it reminds of, and reads.

        Args:
            input: (N, input_size).
            state: of the step before.
            episode_start: (N,) bool, the rows to forget first.

        Returns:
            read (N, width), and the state.

        Raises:
            ValueError: where a shape does not fit.
        """
        state = self.begin(input, state, episode_start)
        time = state["time"]
        age = ring.slot_ages(time, self.slots)[:, None]
        here = (age == 0).mT
        x = self.embed(input)[:, None]
        gate = self._log_gate(x)
        log_gate = torch.where(here[..., 0], gate, state["log_gate"])
        hidden = ring.hidden(age, time[:, None], self.slots)
        offset = ring.unseen(hidden, x)
        keys, values, reads = [], [], []
        for hop in range(self.hops):
            stage = self._stage(hop)
            x = x + self.hop_embedding[hop]
            query, key, value = stage.project(x)
            keys.append(torch.where(here[:, None], key, state["keys"][:, hop]))
            values.append(torch.where(here[:, None], value, state["values"][:, hop]))
            x, weights = stage.recall(x, query, keys[-1], values[-1], log_gate, offset, self.bucket[age])
            reads.append(weights[:, :, 0].mean(1))
        state_after = {
            "keys": torch.stack(keys, 1),
            "values": torch.stack(values, 1),
            "log_gate": log_gate,
            "time": time + 1,
            "read": torch.stack(reads, 1),
            "gate": gate.exp(),
        }
        read = self.norm(x)
        if self.association is not None:
            written = torch.where(here[:, None], self.association.project(input[:, None]), state["associated"])
            read = read + self.association(input[:, None], written, ~hidden & (age > 0))
            state_after["associated"] = written
        return read[:, 0], state_after

    def unroll(
        self, inputs: Tensor, state: MemoryState | None = None, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Many steps at once, without a loop over time: the same numbers as one `forward` after the other.

        Args:
            inputs: (T, N, input_size).
            state: of the step before. None, for fresh rows, saves looking for older slots; so does a fresh state on
                the CPU, where looking at it costs nothing.
            episode_start: (T, N) bool, the steps that begin an episode.

        Returns:
            reads (T, N, width), and the state after the last step.

        Raises:
            ValueError: where a shape does not fit.
        """
        read, state, _, _ = self._unroll(inputs, state, episode_start)
        assert state is not None
        return read, state

    def read_episodes(self, inputs: Tensor, asked: Tensor | None = None) -> Tensor:
        """Reads of whole fresh episodes, see `Memory.read_episodes`; the last hop is of the `asked` steps alone."""
        return self._unroll(inputs, None, None, asked=asked, keep=False)[0]

    def unroll_weights(
        self, inputs: Tensor, state: MemoryState | None = None, episode_start: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What `unroll` wrote and read at every step, for watching; arguments as there.

        Returns:
            "read" (T, N, hops, slots), of sum 1 over the slots, mean over heads; "write_gate" (T, N).
        """
        _, _, read, gate = self._unroll(inputs, state, episode_start, every_step=True)
        return {"read": read.permute(2, 0, 1, 3), "write_gate": gate.mT}

    def weights(self, state: MemoryState) -> dict[str, Tensor]:
        """What the last step did.

        Returns:
            "read" (N, hops, slots), of sum 1 over the slots (0 before the first step), mean over heads; "write"
            (N, slots), the gate at the slot that was written; "write_gate" (N, 1).
        """
        here = ring.last_written(state["time"], self.slots)
        return {"read": state["read"], "write": here * state["gate"], "write_gate": state["gate"]}

    def _stage(self, hop: int) -> Hop:
        stage = self.stages[hop % len(self.stages)]
        assert isinstance(stage, Hop)
        return stage

    def _log_gate(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[:2]) if self.write_gate is None else F.logsigmoid(self.write_gate(x))[..., 0]

    def _unroll(
        self,
        inputs: Tensor,
        state: MemoryState | None,
        episode_start: Tensor | None,
        every_step: bool = False,
        asked: Tensor | None = None,
        keep: bool = True,
    ) -> tuple[Tensor, MemoryState | None, Tensor, Tensor]:
        """Reads and state of `unroll`; read weights (N, hops, T, slots), of the last step or of all; gates (N, T).

        With `asked` (Q, N), of fresh rows whose state is not kept, the reads (Q, N, width) of these steps alone.
        """
        steps, n = inputs.shape[:2]
        old = ring.begin(inputs, state, episode_start, self.input_size)
        before = old.get("time")
        time = ring.step_times(steps, before, episode_start, inputs.device)
        age = ring.recalled_ages(steps, before, self.slots, inputs.device)
        bucket = self.bucket[age.clamp(0, self.slots - 1)]
        inputs = inputs.transpose(0, 1)
        x = self.embed(inputs)
        gate = self._log_gate(x)
        log_gate = torch.cat([old["log_gate"], gate], 1) if old else gate
        hidden = ring.hidden(age, time, self.slots)
        offset = ring.unseen(hidden, x)
        new_keys, new_values, reads = [], [], []
        shown = slice(None) if every_step else slice(-1, None)
        for hop in range(self.hops):
            stage = self._stage(hop)
            x = x + self.hop_embedding[hop]
            query, key, value = stage.project(x)
            if asked is not None and hop == self.hops - 1:
                x, query = ring.at_steps(x, asked), ring.at_steps(query.transpose(1, 2), asked).transpose(1, 2)
                offset, bucket = ring.at_steps(offset[:, 0], asked)[:, None], ring.at_steps(bucket, asked)
            new_keys.append(key)
            new_values.append(value)
            if old:
                key, value = torch.cat([old["keys"][:, hop], key], 2), torch.cat([old["values"][:, hop], value], 2)
            x, weights = stage.recall(x, query, key, value, log_gate, offset, bucket)
            reads.append(weights[:, :, shown].mean(1))
        answer = self.norm(x)
        if self.association is not None:
            new = self.association.project(inputs)
            written = torch.cat([old["associated"], new], 2) if old else new
            earlier = ~hidden & (age > 0)
            if asked is not None:
                inputs, earlier = ring.at_steps(inputs, asked), ring.at_steps(earlier, asked)
            answer = answer + self.association(inputs, written, earlier)
        answer = answer.transpose(0, 1)
        if not keep:
            return answer, None, torch.stack(reads, 1), gate.exp()

        read = ring.by_slot(torch.stack(reads, 1), time, bool(old), self.slots)
        last = time[:, -1].expand(n)
        started = None if episode_start is None else episode_start.any(0)

        def filled(new: Tensor, name: str, dim: int) -> Tensor:
            ring_before = old[name].movedim(dim, 1) if old else None
            return ring.fill(new.movedim(dim, 1), ring_before, last, started, self.slots).movedim(1, dim)

        state_after = {
            "keys": filled(torch.stack(new_keys, 1), "keys", 3),
            "values": filled(torch.stack(new_values, 1), "values", 3),
            "log_gate": filled(gate, "log_gate", 1),
            "time": last + 1,
            "read": read[:, :, -1],
            "gate": gate[:, -1:].exp(),
        }
        if self.association is not None:
            state_after["associated"] = filled(new, "associated", 2)
        return answer, state_after, read, gate.exp()
