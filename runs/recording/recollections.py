"""What an agent remembers of an episode: what it saw step by step, what it wrote, what it recalled at the end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents import AttentionAgent, Places
from agents.imagining import ImaginingAgent
from agents.lockstep import Lockstep
from glimpse_env.tasks import Classify
from glimpse_env.tasks.babi import BabiTask
from memory import MemoryState
from memory.episodic import Episodic


class Recollection(NamedTuple):
    """One episode of T steps and S slots.

    Attributes:
        shown: (T, …) what was seen at each step: bits, glimpses (T, scales, C, height, width), or nothing where there
            are `lines`.
        lines: what was seen, in words; empty for bits and images.
        question: in words; empty where none is asked apart.
        gate: (T,) in [0, 1], how much of each step was written; None for a memory without a gate.
        recalled: (hops, T) weights in [0, 1] of each step in the last answer; None where slots are not steps.
        write: (T, S) write weights of each step, heads together, and
        read: (T, heads or hops, S) read weights; None where the memory has none.
        answer, truth: the last answer and the right one, in words or as (A, bits).
        belief: probability of the answer.
        places: (T,) number of each line in its story, from 1; None without a story.
        needed: (T,) bool, whether the answer rests on that line; None where that is not known.
        contents: (S, width) what lies in the slots at the end, of the last hop; None without a memory.
        episode: its number.
    """

    shown: np.ndarray
    lines: list[str]
    question: str
    gate: np.ndarray | None
    recalled: np.ndarray | None
    write: np.ndarray | None
    read: np.ndarray | None
    answer: Any
    truth: Any
    belief: float
    places: np.ndarray | None = None
    needed: np.ndarray | None = None
    contents: np.ndarray | None = None
    episode: int = 0

    @property
    def correct(self) -> bool:
        """Whether the last answer is right, in all its parts."""
        return bool(np.array_equal(self.answer, self.truth))


@torch.no_grad()
def recollect(agent: AttentionAgent, env: Any, episode: int, seed: int, places: Places | None = None) -> Recollection:
    """Read, or look through, one episode and keep what memory did.

    Args:
        agent: as it is; evaluate it (`agent.eval()`) to see it without dropout.
        env: of one row, as `runs.environments.make_env` makes it.
        episode: its number.
        seed: of the environment.
        places: where to look instead of where the agent would.
    """
    lockstep, numbers = Lockstep(env, next(agent.parameters()).device), np.array([episode])
    task = env.unwrapped.task
    if agent.form.motion:
        seen, target, scored = _looked(agent, lockstep, numbers, seed, places(numbers) if places else None)
    else:
        story = lockstep.record(seed, numbers)
        seen, target, scored = story.observations, story.target, story.scored
    weights, contents, features = _remembered(agent, seen)
    logits = agent.answer(features)[scored[:, 0], 0]
    right = target[scored[:, 0], 0].cpu().numpy()
    said, belief = int(logits[-1].argmax()), float(logits[-1].softmax(-1).max())
    nothing = np.zeros((len(scored), 0))
    if isinstance(task, BabiTask):
        words = [task.vocabulary.decode(row) for row in seen["tokens"][:, 0].cpu().numpy()]
        question = task.vocabulary.decode(seen["question"][0, 0].cpu().numpy()) if "question" in seen else ""
        truth = task.answers[int(right[-1])] if right[-1] >= 0 else "(unknown)"
        lines, needed = _lines(env, numbers, seed, seen)
        answer = task.answers[said]
        return Recollection(nothing, words, question, *weights, answer, truth, belief, lines, needed, contents, episode)
    shown = next(iter(seen.values()))[:, 0].cpu().numpy()
    if isinstance(task, Classify):
        answer, truth = task.names[said], task.names[int(right[-1])]
        return Recollection(shown, [], "", *weights, answer, truth, belief, contents=contents, episode=episode)
    answer = (logits > 0).int().cpu().numpy() if agent.form.bits else logits.argmax(-1).cpu().numpy()
    return Recollection(shown, [], "", *weights, answer, right, float("nan"), contents=contents, episode=episode)


def _lines(env: Any, numbers: np.ndarray, seed: int, seen: dict[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """The number of each line seen, from 1, and whether the answer rests on it; a question counts as a line."""
    task = env.unwrapped.task
    index = task.pick(*(task.backend.asarray(np.asarray(value, np.int64)) for value in ([seed], numbers)))
    if "location" in seen:
        count, location = int(task.counts[index][0]), seen["location"][:, 0, 0].cpu().numpy()
        places = np.floor((location + 1) * (count / 2)).astype(np.int64)
    else:
        places = np.arange(len(seen["tokens"]))
    return places + 1, np.isin(places, task.support({"index": index}, 0))


def _looked(
    agent: AttentionAgent, lockstep: Lockstep, numbers: np.ndarray, seed: int, places: Tensor | None
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """What was seen by an agent that chose where to look: observations, target and scored, time first."""
    observation, info = lockstep.reset(seed, numbers)
    state, seen = agent.initial_state(1), []
    target = info["target"]
    for step in range(lockstep.horizon - 1):
        seen.append(observation)
        decision = agent(observation, state)
        state = decision.state
        location = decision.location if places is None else places[step]
        observation, _ = lockstep.step({"location": location, "answer": decision.answer.argmax(-1)})
    seen.append(observation)
    scored = torch.zeros(lockstep.horizon, 1, dtype=torch.bool)
    scored[-1] = True
    observations = {key: torch.stack([moment[key] for moment in seen]) for key in seen[0]}
    return observations, target.expand(lockstep.horizon, 1), scored


class Weights(NamedTuple):
    """What a memory did in an episode: see `Recollection`."""

    gate: np.ndarray | None
    recalled: np.ndarray | None
    write: np.ndarray | None
    read: np.ndarray | None


def _remembered(agent: AttentionAgent, seen: dict[str, Tensor]) -> tuple[Weights, np.ndarray | None, Tensor]:
    """The memory's weights at every step, what lies in it at the end, and the features (T, 1, F)."""
    steps = len(next(iter(seen.values())))
    state, features = agent.initial_state(1), []
    kept: dict[str, list[np.ndarray]] = {}
    for step in range(steps):
        observation = {key: value[step] for key, value in seen.items()}
        decision = agent(observation, state)
        state = decision.state
        features.append(decision.features)
        for name, value in agent.weights(state).items():
            kept.setdefault(name, []).append(value[0].cpu().numpy())
    gate, write, read = (np.stack(kept[name]) if name in kept else None for name in ("write_gate", "write", "read"))
    if write is not None:
        write = write.reshape(steps, -1, write.shape[-1]).sum(1).clip(0, 1)
    recalled = None
    if isinstance(agent, ImaginingAgent):
        assert read is not None
        places = agent.sense.slots(state.memory)[0].tolist()
        recalled = np.stack([read[-1, :, place] if place >= 0 else 0 * read[-1, :, 0] for place in places], 1)
    elif isinstance(agent.memory, Episodic) and read is not None:
        slots = agent.memory.slots
        recalled = np.zeros((read.shape[1], steps))  # the oldest steps have been overwritten
        for step in range(max(0, steps - slots), steps):
            recalled[:, step] = read[-1, :, step % slots]
    weights = Weights(None if gate is None else gate[:, 0], recalled, write, read)
    return weights, _contents(state.memory), torch.stack(features)


def _contents(state: MemoryState) -> np.ndarray | None:
    """What lies in the slots of the first row, (S, width), by the name that its memory has for it."""
    if "values" in state:  # (N, hops, heads, slots, width / heads)
        return state["values"][0, -1].transpose(0, 1).flatten(1).cpu().numpy()
    stored = state.get("patterns", state.get("memory"))
    return None if stored is None else stored[0].cpu().numpy()
