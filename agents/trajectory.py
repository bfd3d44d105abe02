"""Episodes as they were collected: the one type that losses, evaluations and pictures are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Watched(NamedTuple):
    """What a memory did in N episodes of T steps; None where it has no such thing.

    Attributes:
        read: (T, N, heads or hops, slots) read weights in [0, 1].
        write: (T, N, slots) write weights in [0, 1], heads together.
        gate: (T, N) in [0, 1], how much of each step was written.
        contents: (N, slots, width), what lies in the slots at the end.
        step: (N, slots) int64, which step lies in which slot at the end, -1 where none; None where slots are no steps.
    """

    read: Tensor | None
    write: Tensor | None
    gate: Tensor | None
    contents: Tensor | None
    step: Tensor | None


class Moments(Mapping[str, Tensor]):
    """Observations of T moments, (N, …) each by part, as (T, N, …): a part is stacked when it is first asked for.

    A loss asks for few of them, and glimpses are large.
    """

    def __init__(self, moments: list[dict[str, Tensor]]) -> None:
        self.moments = moments
        self.stacked: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.stacked:
            self.stacked[name] = torch.stack([moment[name] for moment in self.moments])
        return self.stacked[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.moments[0])

    def __len__(self) -> int:
        return len(self.moments[0])


class Trajectory(NamedTuple):
    """N episodes of at most T steps. Time comes first.

    An agent that acts decides at every step: Q = T. Of an episode that is read ahead it decides only where an answer is
    scored: Q is the most such steps of any episode, and `alive` marks those that there are.

    Attributes:
        observations: (T, N, …) by part.
        steps: (Q, N) int64, the steps that were decided at; None for all of them.
        params: (Q, N, …) by part of the action: logits of answers, means of places.
        actions: (Q, N, …) by part, what was done.
        log_prob: (Q, N) by part, of the actions that were drawn; without those that were not.
        value: (Q, N), the baseline's expected return; None where nothing was drawn.
        reward: (Q, N), the environment's own; 0 after an end.
        alive: (Q, N) bool, the decisions that belong to the episode.
        target: (Q, N, …), the right answers; None where the environment tells none.
        scored: (Q, N) bool, whether the answer counts.
        log_likelihood: (Q, N), log p(target) in nats; zeros without a target.
        hits: (Q, N, parts) bool, which parts of the answer are right; None without a target.
        length: (N,) int64, steps of each episode.
        info: (N, …), what `reset` gave, and what the last step gave of `metadata["episode_metrics"]`.
        episodes: (N,) int64, the numbers of the episodes.
        watched: what the memory did, where that was asked for.
        led: (N,) bool, the rows whose places were given; None where none were, or all.
        demonstrated: (Q, N) by part, log-probability of the places that were given, in the rows that were not led too;
            0 where none was given. Empty where `led` is None.
        moved: (Q, N) bool, whether what was given is another place than what was given before; None where `led` is
            None, or no place was given.
        found: (Q, N) bool, whether a look so far had in its finest patch what was given to be looked at; None where
            `led` is None, or the size of a patch is not known.
        answers_act: whether answers have effects of their own, so that each matters, scored or not.
    """

    observations: Mapping[str, Tensor]
    steps: Tensor | None
    params: dict[str, Tensor]
    actions: dict[str, Tensor]
    log_prob: dict[str, Tensor]
    value: Tensor | None
    reward: Tensor
    alive: Tensor
    target: Tensor | None
    scored: Tensor
    log_likelihood: Tensor
    hits: Tensor | None
    length: Tensor
    info: dict[str, Tensor]
    episodes: np.ndarray
    watched: Watched | None = None
    led: Tensor | None = None
    demonstrated: Mapping[str, Tensor] = {}
    moved: Tensor | None = None
    found: Tensor | None = None
    answers_act: bool = False

    def path(self, place: str) -> Tensor:
        """(N, T, D) the places, by the part of the observation that tells them; after an episode's end its last one."""
        places = self.observations[place]
        moments = torch.arange(len(places), device=places.device)[:, None].minimum(self.length - 1)
        return places.gather(0, moments[..., None].expand_as(places)).transpose(0, 1)

    def last(self) -> Tensor:
        """(N,) int64, the last decision of each episode."""
        return (self.alive.sum(0) - 1).clamp(min=0)


def at_steps(values: Tensor, steps: Tensor | None) -> Tensor:
    """Of values (T, N, …) those at `steps` (Q, N) int64: (Q, N, …). None leaves them as they are."""
    if steps is None:
        return values
    return values.take_along_dim(steps.reshape(*steps.shape, *[1] * (values.dim() - 2)), 0)


def scored_steps(scored: Tensor, most: int) -> Tensor:
    """The steps to be answered, side by side, with a size that does not depend on the data.

    Args:
        scored: (T, N) bool.
        most: scored steps of an episode, at most.

    Returns:
        (Q, N) int64, Q = min(most, T): the scored steps of each row in order, filled up with others.
    """
    return torch.argsort(scored.to(torch.int8), dim=0, descending=True, stable=True)[:most]
