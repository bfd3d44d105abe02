"""The attention agent that keeps a map of a hidden story, and infers the lines that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.agent import AgentState, AttentionAgent, Decision, unflattened
from agents.spec import EnvSpec, Observation
from agents.story_map.map import InferredStory, StoryMap, StoryMapConfig
from memory import MemoryState, Watch
from memory.precision import full_precision

SURVEYED = 8192
"""Episodes in which lines are collected at random before a training."""


class StoryMapAgent(AttentionAgent):
    """An `AttentionAgent` whose memory reads the map of a story as if it were the story.

    Its gaze begins at the line whose content would change the answer most (`InferredStory.stakes`), and a learned step
    is added. The state's memory is the glimpses so far.

    Args:
        spec: of a hidden story.
        config: with `map_lines`.

    Raises:
        ValueError: for options that a map does not go with, or a memory that cannot hold its lines.
    """

    encoders: StoryMap  # type: ignore[assignment]
    config: StoryMapConfig

    def __init__(self, spec: EnvSpec, config: StoryMapConfig) -> None:
        if config.map_lines < 1:
            raise ValueError(f"map_lines must be at least 1, got {config.map_lines}")
        if config.core != "none" or config.saccades != "relative" or config.asks:
            raise ValueError('a map of a story needs core="none", relative saccades, and no `asks`')
        super().__init__(spec, config)
        slots = getattr(self.memory, "slots", 0)
        if self.memory.watch(self.memory.initial_state(1)).step is None or slots <= config.map_lines:
            raise ValueError(
                f"map_lines={config.map_lines} needs a memory that keeps each step in a slot, such as episodic, with "
                f"slots={config.map_lines + 1} or more: for the lines and the question"
            )

    def make_encoders(self, spec: EnvSpec) -> Any:
        """The map."""
        return StoryMap(spec.observation, self.config)

    def initial_state(self, batch: int) -> AgentState:
        """The state before the first glimpse of `batch` episodes."""
        return super().initial_state(batch)._replace(memory=self.encoders.initial_state(batch))

    def forward(self, observation: Observation, state: AgentState) -> Decision:
        """One step. The features carry no gradient: see `evaluate_episodes`."""
        seen = self.encoders.add(observation, state.memory)
        with full_precision(self.encoders.known.device):  # small differences choose the line
            inferred = self.encoders(seen)
            features, prior = self.prior_step(inferred, seen)
        kept = {"features": features, "prior": prior, "near": inferred.near}
        decision = self.decide({**observation, "near": inferred.near}, features, state._replace(memory=seen), prior)
        return decision._replace(kept=kept)

    def prior_step(self, inferred: InferredStory, state: MemoryState) -> tuple[Tensor, Tensor]:
        """The features (N, F) of an inferred story, and the lines (N, 1) to go to the one that matters most.

        What matters most is the line whose content, once known, would change the answer furthest. Several answers are
        moved apart at once, each by its probability, in turn up and down.
        """
        answer = self.answer_head()
        assert answer is not None
        with torch.inference_mode(False), torch.enable_grad():
            story = inferred.story.detach().clone().requires_grad_()
            features = self._read(story)
            logits = answer.linear(features)  # type: ignore[operator]
            chance, rank = logits.detach().softmax(-1).sort(dim=-1, descending=True)
            sign = 1 - 2.0 * (torch.arange(chance.shape[1], device=chance.device) % 2)
            (slope,) = torch.autograd.grad((logits.gather(1, rank) * chance.sqrt() * sign).sum(), story)
        with torch.no_grad():
            line = inferred.stakes(slope).argmax(-1)
        step = (state["after"][:, -1] - line).to(features.dtype)
        return features.detach(), step[:, None]

    def evaluate_episodes(
        self, observations: Observation, steps: Tensor | None = None, kept: dict[str, Tensor] | None = None
    ) -> Decision:
        """Decisions that were made without gradient, with it.

        The last answer rests on all that was seen, and the gaze on features that are detached anyway. So the story is
        inferred and read with gradient once, at the end, and all earlier features stay as they were.
        """
        assert kept is not None, "a map is read step by step first"
        length, n = observations["location"].shape[:2]
        state = self.encoders.initial_state(n)
        for step in range(length):
            state = self.encoders.add({name: value[step] for name, value in observations.items()}, state)
        with full_precision(self.encoders.known.device):
            story = self.encoders(state).story
        last = self._read(story)
        features = torch.cat([kept["features"][:-1].flatten(0, 1), last])
        flat = {name: value.flatten(0, 1) for name, value in observations.items()}
        flat["near"] = kept["near"].flatten(0, 1)
        decision = self.decide(flat, features, self.initial_state(0), kept["prior"].flatten(0, 1))
        return unflattened(decision, (length, n))

    def watch(self, state: AgentState) -> Watch:
        """What the memory read in the map in the last step; `step` is the glimpse that shows each line."""
        story = self.encoders(state.memory).story
        _, after = self.memory.unroll(story, story)
        glimpse = self.encoders.glimpse_of_line(state.memory, self.memory.slots)  # type: ignore[arg-type]
        return Watch(read=self.memory.watch(after).read, write=None, gate=None, contents=None, step=glimpse)

    def prepare(self, env: Any, seed: int) -> None:
        """Before a training from nothing: know the lines that random glimpses show in `SURVEYED` episodes.

        Args:
            env: `agents.batched_env.BatchedEnv` of the training.
            seed: of the training.
        """
        found = []
        for first in range(0, SURVEYED, env.num_envs):
            numbers = np.arange(first, first + env.num_envs)
            observation, _ = env.reset(seed, numbers)
            found.append(observation["tokens"][: SURVEYED - first])
            answer = torch.zeros(env.num_envs, dtype=torch.int64, device=env.device)
            for location in env.scripted_gaze("random", seed, numbers):
                observation = env.step({"location": location, "answer": answer}).observation
                found.append(observation["tokens"][: SURVEYED - first])
        self.encoders.set_known(torch.cat(found))

    def _read(self, story: Tensor) -> Tensor:
        """What an inferred story (T, N, width), its question last, recalls: (N, F)."""
        last = torch.full((1, story.shape[1]), len(story) - 1, device=story.device)
        return self.memory.read_episodes(story, story, last)[0]
