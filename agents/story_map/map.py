"""A map of a hidden story: what each of its lines may hold, sharp where it was seen and blurred around.

An agent that keeps what it saw in the order of its glimpses must learn to put the lines in order, and cannot know what
lies between them. Here every glimpse is entered into a map whose cells are the lines of the story, as in a neural map
(Parisotto & Salakhutdinov 2018). A line that was not seen is a mixture of the sentences that the agent knows, by how
well they agree with the blurred words around (`agents.story_map.beliefs`). The memory then reads the map as if it were
the story.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.config import AgentConfig, CoreKind
from agents.encoders.hidden_text import HiddenText
from agents.encoders.sentence import Sentences
from agents.spec import Observation, Parts
from agents.story_map.beliefs import line_beliefs
from memory import MemoryState

KNOWN = 1024
"""Sentences that can be known, at most."""

NEAR, LATER = 24, 8
"""Lines around the present one that the gaze sees in the map, and how many of them follow it."""


@dataclass(frozen=True)
class StoryMapConfig(AgentConfig):
    """The form of a `StoryMapAgent`."""

    core: CoreKind = "none"
    memory: str = "episodic"
    ignore: tuple[str, ...] = ()
    map_lines: int = 24
    """Lines of the story, from its end on, that are mapped and inferred where they were not seen."""


class InferredStory(NamedTuple):
    """A story as far as it is known. L lines are mapped, K sentences known; lines are counted from the end of the
    story.

    Attributes:
        story: (L + 1, N, width), from the earliest line to the last, then the question.
        near: (N, 3 × NEAR), of the lines around the present one whether each was seen, the entropy of what it may be as
            a share of log K, and how many of the question's words it is expected to hold, the rarer the more.
        belief: (N, L, K), what each line may be; zeros where it was seen, or does not exist.
        sentences: (K, width), the vectors of these.
    """

    story: Tensor
    near: Tensor
    belief: Tensor
    sentences: Tensor

    def stakes(self, slope: Tensor) -> Tensor:
        """(N, L), the variance of a number that depends on the story, due to what is not known of each line.

        To first order, as the expected gain of information is for small uncertainties (MacKay 1992, section 4).

        Args:
            slope: (L + 1, N, width), the gradient of that number by `story`.
        """
        change = slope[:-1].flip(0).transpose(0, 1) @ self.sentences.T
        return (self.belief * change.square()).sum(-1) - (self.belief * change).sum(-1).square()


class StoryMap(HiddenText):
    """The lines of a story from its end on, then the question: what was seen, and what is inferred between.

    It takes the place of an agent's encoders.

    Args:
        parts: of the observation.
        config: of the agent, with the number of lines that are mapped.
    """

    known: Tensor
    count: Tensor

    def __init__(self, parts: Parts, config: StoryMapConfig) -> None:
        super().__init__(parts, config)
        self.lines, width = config.map_lines, config.width
        self.periphery_size += 3 * NEAR
        self.sentences = Sentences(self.vocabulary, self.words, width, config.encoder)
        self.place, self.certainty = nn.Embedding(self.lines, width), nn.Linear(2, width)
        for parameter in (self.place.weight, self.certainty.weight, self.certainty.bias):
            nn.init.zeros_(parameter)
        # the sentences that were read, and how often: counted, not learned by gradient
        self.register_buffer("known", torch.zeros(KNOWN, self.words, dtype=torch.int64))
        self.register_buffer("count", torch.zeros(KNOWN, dtype=torch.int64))

    def set_known(self, tokens: Tensor) -> None:
        """Know these lines (N, words) int64, and how often they occur, in place of others; `KNOWN` of them at most."""
        found, count = torch.unique(tokens[(tokens > 0).any(1)], dim=0, return_counts=True)
        kept = count.argsort(descending=True, stable=True)[:KNOWN]
        self.known.zero_()[: len(kept)] = found[kept]
        self.count.zero_()[: len(kept)] = count[kept]

    def initial_state(self, batch: int) -> MemoryState:
        """Nothing seen: no glimpses (N, 0, …), no question, no lines."""
        like = self.known
        return {
            "after": like.new_zeros(batch, 0),
            "tokens": like.new_zeros(batch, 0, self.words),
            "around": like.new_zeros(batch, 0, self.scales, self.vocabulary, dtype=torch.bool),
            "question": like.new_zeros(batch, self.words),
            "lines": like.new_zeros(batch, 1),
        }

    def add(self, observation: Observation, state: MemoryState) -> MemoryState:
        """The glimpses of `state` and this one."""
        now = {
            "after": self.lines_after(observation),
            "tokens": observation["tokens"],
            "around": observation["periphery"] > 0,
        }
        glimpses = {name: torch.cat([state[name], value[:, None]], 1) for name, value in now.items()}
        return {**glimpses, "question": observation["question"], "lines": observation["lines"].long()}

    def periphery(self, observation: Observation) -> Tensor:
        """(B, periphery_size): that of a hidden text, and `near` of `InferredStory` as a part of the observation."""
        return torch.cat([super().periphery(observation), observation["near"]], -1)

    def glimpse_of_line(self, state: MemoryState, slots: int) -> Tensor:
        """(N, slots) int64, which glimpse shows the line in each slot of a memory that reads the map; -1 where none
        does.

        The memory reads the earliest line first, into slot 0.
        """
        after = state["after"]
        number = torch.arange(after.shape[1], device=after.device).expand_as(after)
        slot = torch.where(after < self.lines, self.lines - 1 - after, slots)  # one more for all that lie beyond
        empty = torch.full((len(after), slots + 1), -1, dtype=torch.int64, device=after.device)
        return empty.scatter(1, slot, number)[:, :slots]

    def forward(self, state: MemoryState) -> InferredStory:  # type: ignore[override]
        """The story as it is inferred after the glimpses of `state`, one at least."""
        exists = torch.arange(self.lines, device=self.known.device) < state["lines"]
        some = self.count > 0
        known = self.known[some]
        columns = torch.unique(known[known > 0])
        bag = self._bag(known, columns)
        tokens, seen = self._enter(state["after"], state["tokens"])
        read = self._bag(tokens, columns)
        prior = torch.log(self.count[some] / self.count.sum().clamp(min=1))
        with torch.no_grad():
            belief = line_beliefs(
                *self._windows(state),
                state["around"].flatten(1, 2)[..., columns],
                *(seen, read, exists, bag, prior),
            )
            entropy = -torch.special.xlogy(belief, belief).sum(-1) / max(1.0, math.log(max(1, len(known))))
            entropy = torch.where(seen, 0.0, entropy)
            rare = -torch.log(bag.mean(0) + 1e-6) * self._bag(state["question"], columns)
            holds = (torch.where(seen[..., None], read, belief @ bag) * rare[:, None]).sum(-1)
        sentences = self.sentences(known)
        belief = belief * (exists & ~seen)[..., None]
        certain = torch.stack([seen.to(entropy.dtype), entropy], -1)
        lines = self.sentences(tokens) + belief @ sentences + self.place.weight + self.certainty(certain)
        lines = lines * exists[..., None]
        story = torch.cat([lines.flip(1), self.sentences(state["question"])[:, None]], 1).transpose(0, 1)
        entered = torch.stack([seen.to(entropy.dtype), entropy, holds], -1) * exists[..., None]
        return InferredStory(story, self._near(entered, state["after"][:, -1]), belief, sentences)

    def _enter(self, after: Tensor, glimpses: Tensor) -> tuple[Tensor, Tensor]:
        """Words seen in each glimpse (N, G, words) by lines (N, lines, words), and which these are, (N, lines) bool.

        Of what is not differentiated: a line seen twice would be given its gradient twice.
        """
        entered = glimpses.new_zeros(len(after), self.lines + 1, glimpses.shape[2])  # one more for all that lie beyond
        seen = torch.zeros(entered.shape[:2], dtype=torch.bool, device=after.device)
        place = after.clamp(max=self.lines)
        entered = entered.scatter(1, place[..., None].expand_as(glimpses), glimpses)
        return entered[:, :-1], seen.scatter(1, place, torch.ones_like(place, dtype=torch.bool))[:, :-1]

    def _bag(self, tokens: Tensor, columns: Tensor) -> Tensor:
        """`bag` of these words alone, (…, len(columns)): of the few that are known, which cost far less than all."""
        number = torch.zeros(self.vocabulary, dtype=torch.int64, device=tokens.device)
        number[columns] = torch.arange(1, len(columns) + 1, device=tokens.device)
        bag = torch.zeros(*tokens.shape[:-1], len(columns) + 1, device=tokens.device)
        return bag.scatter_(-1, number[tokens], 1.0)[..., 1:]

    def _near(self, entered: Tensor, after: Tensor) -> Tensor:
        """What is entered (N, lines, F) around the present line, (N, NEAR × F); beyond the map is nothing."""
        place = after[:, None] + torch.arange(-LATER, NEAR - LATER, device=after.device)
        inside = (place >= 0) & (place < self.lines)
        rows = place.clamp(0, self.lines - 1)[..., None].expand(-1, -1, entered.shape[2])
        return (entered.gather(1, rows) * inside[..., None]).flatten(1)

    def _windows(self, state: MemoryState) -> tuple[Tensor, Tensor]:
        """The first and last line of every blurred window, (N, glimpses × scales); none of what was seen before."""
        reach = 3 ** torch.arange(1, self.scales + 1, device=self.known.device) // 2
        after, end = state["after"][..., None], state["lines"][..., None] - 1
        again = (after == state["after"][:, None]).tril(-1).any(-1, keepdim=True)
        first, last = (after - reach).clamp(min=0), torch.minimum(after + reach, end)
        return first.masked_fill(again, 0).flatten(1), last.masked_fill(again, -1).flatten(1)
