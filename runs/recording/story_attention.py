"""What agents attend to in stories, over many episodes: the lines looked at, or recalled for the answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents import AttentionAgent, play
from agents.evaluation import by_length, measuring
from agents.lockstep import Lockstep
from glimpse_env.tasks.babi import BabiTask
from glimpse_env.tasks.babi_gaze import BabiGaze
from memory import Episodic, Hopfield
from runs.places import fixed_places


class StoryAttention(NamedTuple):
    """Attention over the L lines of N stories in R turns: glimpses of a hidden story, or hops of the last recall.

    Attributes:
        weights: (N, R, L) float64, of sum 1 over the lines of a story (0 where none was recalled).
        on_story: (N, R) float64, what share of the attention that was; the rest was on the question.
        tokens: (N, L, words) int64, the lines as they were told, padded with 0.
        question: (N, words) int64.
        lines: (N,) int64, how many each story has.
        support: (N, F) int64, the lines that the answer rests on, padded with -1.
        target: (N,) int64, class of the right answer, -1 where it is unknown.
        task: (N,) int64, number of the bAbI task.
        correct: (N,) bool, whether the last answer was right.
        turn: "glimpse" or "hop".
        chosen: the first turn, from 0, that was the agent's own choice.
        vocabulary: the words of the ids.
        answers: the names of the classes.
    """

    weights: np.ndarray
    on_story: np.ndarray
    tokens: np.ndarray
    question: np.ndarray
    lines: np.ndarray
    support: np.ndarray
    target: np.ndarray
    task: np.ndarray
    correct: np.ndarray
    turn: str
    chosen: int
    vocabulary: tuple[str, ...]
    answers: tuple[str, ...]

    def uniform(self) -> np.ndarray:
        """(N, 1, L) float64, attention spread evenly over each story."""
        told = np.arange(self.tokens.shape[1]) < self.lines[:, None]
        return (told / self.lines[:, None])[:, None]


def from_the_end(weights: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(R, L) mean attention by place from the end, the last line of each story first.

    Args:
        weights: (N, R, L) attention over lines.
        count: (N,) lines of each story.
    """
    places = count[:, None] - 1 - np.arange(weights.shape[2])
    turned = np.take_along_axis(weights, np.maximum(places, 0)[:, None], axis=2)
    return np.where(places[:, None] >= 0, turned, 0.0).mean(0) if len(weights) else weights.sum(0)


def around_support(weights: np.ndarray, support: np.ndarray, reach: int) -> np.ndarray:
    """(R, 2 reach + 1) mean attention by distance from the nearest supporting line, from `reach` lines before to after.

    Of two supporting lines as near, the earlier counts. Attention further away is left out; stories of which no
    supporting line is named are no part of the mean.

    Args:
        weights: (N, R, L) attention over lines.
        support: (N, F) supporting lines, padded with -1.
        reach: lines.
    """
    named = (support >= 0).any(1)
    weights, support = weights[named], support[named]
    result = np.zeros((weights.shape[1], 2 * reach + 1))
    if not len(weights):
        return result
    distance = np.arange(weights.shape[2])[:, None] - support[:, None]  # (N, L, F)
    far = np.iinfo(np.int64).max
    nearest = np.where(support[:, None] >= 0, np.abs(distance), far).argmin(-1)
    offset = np.take_along_axis(distance, nearest[..., None], axis=-1)[..., 0]
    for place in range(-reach, reach + 1):
        result[:, place + reach] = (weights * (offset == place)[:, None]).sum(-1).mean(0)
    return result


def on_words(weights: np.ndarray, tokens: np.ndarray, words: int) -> np.ndarray:
    """(words,) mean attention on the lines that hold each word, in [0, 1]: over stories and turns.

    Args:
        weights: (N, R, L) attention over lines.
        tokens: (N, L, W) ids, padded with 0.
        words: size of the vocabulary.
    """
    ids = np.sort(tokens, axis=-1)
    once = ids > 0
    once[..., 1:] &= ids[..., 1:] != ids[..., :-1]  # a word that a line holds twice counts once
    attention = np.broadcast_to(weights.mean(1)[..., None], ids.shape)
    return np.bincount(ids[once], attention[once], words) / max(1, len(weights))


def on_question_words(weights: np.ndarray, tokens: np.ndarray, question: np.ndarray) -> float:
    """Mean attention, in [0, 1], on lines that share a word with the question.

    Words that more than half of all lines hold ("the") do not count.

    Args:
        weights: (N, R, L) attention over lines.
        tokens: (N, L, W) ids, padded with 0.
        question: (N, W') ids, padded with 0.
    """
    told = (tokens > 0).any(-1)
    lines = tokens[told]
    common = [word for word in np.unique(lines) if (lines == word).any(1).mean() > 0.5]
    rare = np.where(np.isin(question, common), 0, question)
    shared = ((tokens[..., None] == rare[:, None, None]) & (tokens > 0)[..., None]).any((2, 3))
    return float((weights.mean(1) * shared).sum(-1).mean())


def record_story_attention(
    agent: AttentionAgent, env: Any, episodes: np.ndarray, *, gaze: str = "learned", seed: int = 0
) -> StoryAttention:
    """Play episodes and keep which lines were attended to.

    Args:
        agent: of bAbI's stories, hidden or read whole.
        env: as `runs.environments.make_env` makes it, in the agent's own words.
        episodes: (N,) episode numbers, at least one; the result has the short stories first.
        gaze: "random", "last" or "scan" looks there instead.
        seed: of the environment.

    Raises:
        ValueError: for fewer than one episode, another task, or a memory whose slots are not the lines of a story.
    """
    task = env.unwrapped.task
    if not isinstance(task, BabiTask):
        raise ValueError(
            f"heat maps are drawn over images and stories, and {type(task).__name__} shows neither: "
            "look at it with python -m runs.watch"
        )
    reads = not isinstance(task, BabiGaze)
    if reads and not isinstance(agent.memory, (Episodic, Hopfield)):
        raise ValueError(
            f"the slots of memory {agent.config.memory!r} are not the lines of a story: heat maps over a story that is "
            "read need memory episodic or hopfield; look at this one with python -m runs.watch"
        )
    parts: list[tuple[np.ndarray, ...]] = []
    with measuring(agent, len(episodes)):
        order = by_length(env, episodes, seed)
        for first in range(0, len(order), env.num_envs):
            numbers = order[np.arange(first, first + env.num_envs) % len(order)]
            attended, right = (
                _recalled(agent, env, numbers, seed) if reads else _looked(agent, env, numbers, gaze, seed)
            )
            kept = min(env.num_envs, len(order) - first)
            told = _told(task, numbers, seed)
            parts.append(tuple(part[:kept] for part in (*_normalised(attended, task.longest), *told, right)))
    weights, on_story, tokens, question, count, support, target, number, right = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    chosen = 1 if isinstance(task, BabiGaze) else 0
    return StoryAttention(
        weights, on_story, tokens, question, count, support, target, number, right,
        "hop" if reads else "glimpse", chosen, task.vocabulary.words, tuple(task.answers),
    )  # fmt: skip


def _normalised(attended: np.ndarray, lines: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (N, R, lines) of sum 1 over the lines, and what their sum was, (N, R)."""
    full = np.zeros((*attended.shape[:2], lines))
    full[..., : attended.shape[2]] = attended[..., :lines]
    total = full.sum(-1)
    return full / np.where(total > 0, total, 1)[..., None], total


def _told(task: BabiTask, numbers: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    """Tokens, question, count, support, target and task number of these episodes, as in `StoryAttention`."""
    state = task.asked(task.backend.asarray(np.full(len(numbers), seed)), task.backend.asarray(numbers))
    (tokens, _), index = task.story(state), state["index"]
    question, count, support = task.words(state, task.questions[index]), task.counts[index], task.facts[index]
    columns = (tokens, question, count, support, state["target"], task.numbers[index])
    return tuple(task.backend.to_numpy(column) for column in columns)


def _looked(
    agent: AttentionAgent, env: Any, numbers: np.ndarray, gaze: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """(N, T, L), 1 at the line that each glimpse looked at; and which answers were right."""
    task, device = env.unwrapped.task, next(agent.parameters()).device
    places = fixed_places(gaze, seed, env, numbers, device) if gaze != "learned" else None
    rollout = play(agent, env, numbers, seed=seed, places=places)
    index = task.pick(torch.full((len(numbers),), seed, device=device), torch.from_numpy(numbers).to(device))
    line = task.line_at(rollout.location[..., 0], task.counts[index])
    seen = torch.nn.functional.one_hot(line.T, task.longest)
    return seen.double().cpu().numpy(), (rollout.answer[-1].argmax(-1) == rollout.target).cpu().numpy()


def _recalled(agent: AttentionAgent, env: Any, numbers: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, hops, L) read weights of the last step over the steps before it; and which answers were right."""
    story = Lockstep(env, next(agent.parameters()).device).record(seed, numbers)
    assert isinstance(agent.memory, (Episodic, Hopfield))
    reads, slots = read_weights(agent, story.observations), agent.memory.slots
    last = story.scored.long().argmax(0)  # (N,)
    rows = torch.arange(len(numbers), device=last.device)
    steps = torch.arange(len(reads), device=last.device)
    lines = reads[last, rows][..., steps % slots]  # step t is in slot t % slots
    kept = (steps < last[:, None]) & (steps > last[:, None] - slots)  # the question itself is no line
    answer = agent.answer(agent.unroll(story.observations, last[None])[0]).argmax(-1)
    return (lines * kept[:, None]).double().cpu().numpy(), (answer == story.target[last, rows]).cpu().numpy()


def read_weights(agent: AttentionAgent, observations: dict[str, Tensor]) -> Tensor:
    """(T, N, hops, slots) read weights at every step of observations (T, N, …), of a memory whose slots are steps."""
    seen = agent.sense(observations)
    if agent.core is None and isinstance(agent.memory, Episodic):
        return agent.memory.unroll_weights(seen)["read"]
    state, reads = agent.initial_state(seen.shape[1]), []
    for step in seen:
        _, state = agent.remember(step, state)
        reads.append(agent.memory.weights(state.memory)["read"])
    return torch.stack(reads)
