"""What an agent observes and answers, read off an environment's spaces."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from gymnasium import spaces


class Form(NamedTuple):
    """The form of an environment, as plain types, so that a checkpoint can hold it.

    Attributes:
        kind: "image" (`glimpse`, `location`), "text" (`tokens`), "story" (`question`, `tokens`, `periphery`,
            `location`, …), "bits" (`bits`) or "parts" (`parts`, `location`: see `agents.foreign`).
        shape: of what is seen: (scales, channels, height, width), (words,), (words, scales), (bits,) or (values,).
        answers: number of classes, or of bits.
        bits: whether an answer is a row of bits.
        vocabulary: number of words, for text.
        motion: dimensions of a location; 0 where there is no gaze.
        longest: lines of the longest story.
    """

    kind: str
    shape: tuple[int, ...]
    answers: int
    bits: bool = False
    vocabulary: int = 0
    motion: int = 0
    longest: int = 1

    def periphery(self) -> int:
        """Number of values that the gaze's own stream sees."""
        if self.kind in ("image", "parts"):
            return math.prod(self.shape)
        return (self.shape[1] + 2) * self.vocabulary + 2

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return {**self._asdict(), "shape": list(self.shape)}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Form:
        """The inverse of `to_dict`."""
        return Form(**{**values, "shape": tuple(values["shape"])})


def form_of(observation_space: spaces.Space, action_space: spaces.Space) -> Form:
    """The form of an environment's single spaces.

    Raises:
        ValueError: for spaces that the agent has no sense for.
    """
    seen = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {}
    done = action_space.spaces if isinstance(action_space, spaces.Dict) else {}
    answer, location = done.get("answer"), done.get("location")
    if "parts" in seen and isinstance(answer, spaces.Box) and location is not None:
        (answers,), (motion,) = answer.shape, location.shape or (0,)
        return Form("parts", seen["parts"].shape or (), answers, motion=motion)
    if isinstance(answer, (spaces.Discrete, spaces.MultiBinary)):
        bits = isinstance(answer, spaces.MultiBinary)
        count, motion = int(answer.n), location.shape[0] if location is not None and location.shape else 0  # type: ignore[arg-type]
        common: dict[str, Any] = {"answers": count, "bits": bits, "motion": motion}
        if {"glimpse", "location"} <= set(seen) and motion:
            return Form("image", seen["glimpse"].shape or (), **common)
        if {"question", "tokens", "periphery", "location", "lines"} <= set(seen) and motion:
            (scales, vocabulary), (words,) = seen["periphery"].shape or (), seen["tokens"].shape or ()
            longest = int(seen["lines"].high.max())  # type: ignore[attr-defined]
            return Form("story", (words, scales), vocabulary=vocabulary, longest=longest, **common)
        if set(seen) == {"tokens"} and not motion:
            return Form("text", seen["tokens"].shape or (), vocabulary=int(seen["tokens"].high.max()) + 1, **common)  # type: ignore[attr-defined]
        if set(seen) == {"bits"} and not motion:
            return Form("bits", seen["bits"].shape or (), **common)
    raise ValueError(
        "the agent needs an action Dict with a Discrete or MultiBinary 'answer' and, where it may look, a 'location'; "
        "and an observation Dict with 'glimpse' and 'location', with 'tokens', with 'bits', or with 'question', "
        f"'tokens', 'periphery', 'location' and 'lines'; got {observation_space} and {action_space}"
    )
