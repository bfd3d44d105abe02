"""The attention agent that draws what it sees of a hidden story in a map, and imagines the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.agent import AgentConfig, AgentState, AttentionAgent, Decision, Draw
from agents.spaces import Form
from agents.story_map import NEAR, Imagined, StoryMap
from memory import Episodic, MemoryState


class ImaginingAgent(AttentionAgent):
    """An `AttentionAgent` whose memory reads the map of a story as if it were the story.

    Its gaze begins with the line that matters most, and learns a step besides. The state's memory is the glimpses so
    far.

    Args:
        form: of a hidden story.
        config: with `imagine` lines.

    Raises:
        ValueError: for a map of what is no hidden story, or that the memory cannot hold.
    """

    sense: StoryMap
    near = 3 * NEAR

    def __init__(self, form: Form, config: AgentConfig) -> None:
        if config.imagine < 1:
            raise ValueError(f"imagine must be 0 (no map) or a number of lines, got {config.imagine}")
        if (form.kind, config.core, config.saccades) != ("story", "none", "relative"):
            raise ValueError('imagine is for hidden stories, with core="none" and relative saccades')
        super().__init__(form, config)
        if not (isinstance(self.memory, Episodic) and self.memory.slots > config.imagine):
            raise ValueError(
                f"imagine={config.imagine} needs memory episodic with slots={config.imagine + 1} or more: "
                "for the lines and the question"
            )

    def own_sense(self) -> tuple[nn.Module, int]:
        """The map, and its width."""
        form, config = self.form, self.config
        words, scales = form.shape
        args = (form.vocabulary, words, scales, form.longest, config.width, config.encoder, config.imagine)
        return StoryMap(*args), config.width

    def initial_state(self, batch: int) -> AgentState:
        """The state before the first glimpse of `batch` episodes."""
        return super().initial_state(batch)._replace(memory=self.sense.initial_state(batch))

    def forward(self, observation: dict[str, Tensor], state: AgentState) -> Decision:
        """One step, without gradient but for the gaze's; see `review`.

        Args:
            observation: of a hidden story, batch first.
            state: from `initial_state`, or the last decision's.
        """
        seen = self.sense.look(observation, state.memory)
        answer, features, draw = self.ponder(self.sense(seen), seen)
        mean, unit = self.look(observation, features, draw)
        return Decision(answer, mean, features, unit, state._replace(memory=seen), draw)

    def ponder(self, imagined: Imagined, state: MemoryState) -> tuple[Tensor, Tensor, Draw]:
        """The answer (N, K) to an imagined story, the features (N, F) it rests on, and what draws the gaze.

        What matters most is the line of which to know what it says would move the answer furthest. Several answers are
        moved apart at once, each by its probability, in turn up and down.
        """
        with torch.inference_mode(False), torch.enable_grad():
            story = imagined.story.detach().clone().requires_grad_()
            features = self._read(story)
            logits = self.answer(features)
            chance, rank = logits.detach().softmax(-1).sort(dim=-1, descending=True)
            sign = 1 - 2.0 * (torch.arange(chance.shape[1], device=chance.device) % 2)
            (slope,) = torch.autograd.grad((logits.gather(1, rank) * chance.sqrt() * sign).sum(), story)
        with torch.no_grad():
            matters = imagined.stakes(slope).argmax(-1)
        step = (state["after"][:, -1] - matters).to(features.dtype)
        return logits.detach(), features.detach(), Draw(step[:, None], imagined.near)

    def weights(self, state: AgentState) -> dict[str, Tensor]:
        """What the memory read in the map in the last step: `read` (N, hops, lines + 1)."""
        story = self.sense(state.memory).story
        _, read = self.memory.unroll(story, self.memory.initial_state(story.shape[1]))
        return {"read": self.memory.weights(read)["read"]}

    def review(self, observations: dict[str, Tensor], decisions: Sequence[Decision] = ()) -> list[Decision]:
        """Decisions that were made without gradient, with it.

        The last answer rests on all that was seen, and the gaze on features that are detached anyway and kept as they
        were. So the story is imagined and read with gradient once, at the end.

        Args:
            observations: (T, N, …), of whole episodes.
            decisions: on all but the last. None, where the places were given, makes earlier answers of zeros.
        """
        steps, n = observations["location"].shape[:2]
        state = self.sense.initial_state(n)
        for step in range(steps):
            state = self.sense.look({key: value[step] for key, value in observations.items()}, state)
        features = self._read(self.sense(state).story)
        end = Decision(self.answer(features), observations["location"][-1], features, 1.0, self.initial_state(0))
        if not decisions:
            return [end._replace(answer=torch.zeros_like(end.answer))] * (steps - 1) + [end]
        flat = {key: value[:-1].flatten(0, 1) for key, value in observations.items()}
        draws = []
        for one in decisions:
            assert one.draw is not None, "a decision of another agent"
            draws.append(one.draw)
        draw = Draw(torch.cat([one.step for one in draws]), torch.cat([one.near for one in draws]))
        means, _ = self.look(flat, torch.cat([one.features for one in decisions]), draw)
        means = means.unflatten(0, (steps - 1, n))
        return [one._replace(location=mean) for one, mean in zip(decisions, means, strict=True)] + [end]

    def _read(self, story: Tensor) -> Tensor:
        """What an imagined story (T, N, width), its question last, recalls: (N, F)."""
        last = torch.full((1, story.shape[1]), len(story) - 1, device=story.device)
        return self.memory.read_episodes(story, last)[0]
