"""What an agent remembers of an episode: what it saw step by step, what it wrote, what it recalled at the end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents import AttentionAgent, Places
from agents.lockstep import Lockstep
from glimpse_env.tasks.babi import BabiTask
from memory.episodic import Episodic


class Recollection(NamedTuple):
    """One episode of T steps and S slots.

    Attributes:
        shown: (T, …) what was seen at each step: bits, or nothing where there are `lines`.
        lines: what was seen, in words; empty for bits.
        question: in words; empty where none is asked apart.
        gate: (T,) in [0, 1], how much of each step was written; None for a memory without a gate.
        recalled: (hops, T) weights in [0, 1] of each step in the last answer; None where slots are not steps.
        write: (T, S) write weights, and
        read: (T, S) read weights, of the heads together; None where slots are steps.
        answer, truth: the last answer and the right one, in words or as (A, bits).
        belief: probability of the answer.
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


@torch.no_grad()
def recollect(agent: AttentionAgent, env: Any, episode: int, seed: int, places: Places | None = None) -> Recollection:
    """Read, or look through, one episode and keep what memory did.

    Args:
        agent: of a task of text or bits.
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
    steps = len(scored)
    written, wrote, read, features = _remembered(agent, seen)
    logits = agent.answer(features)[scored[:, 0], 0]
    right = target[scored[:, 0], 0].cpu().numpy()
    gate, recalled = written if written is not None else (None, None)
    common = {"gate": gate, "recalled": recalled, "write": wrote, "read": read}
    if isinstance(task, BabiTask):
        said = int(logits[-1].argmax())
        words = [task.vocabulary.decode(row) for row in seen["tokens"][:, 0].cpu().numpy()]
        question = task.vocabulary.decode(seen["question"][0, 0].cpu().numpy()) if "question" in seen else ""
        truth = task.answers[int(right[-1])] if right[-1] >= 0 else "(unknown)"
        belief = float(logits[-1].softmax(-1)[said])
        nothing = np.zeros((steps, 0))
        return Recollection(nothing, words, question, answer=task.answers[said], truth=truth, belief=belief, **common)
    answer = (logits > 0).int().cpu().numpy() if agent.form.bits else logits.argmax(-1).cpu().numpy()
    shown = next(iter(seen.values()))[:, 0].cpu().numpy()
    return Recollection(shown, [], "", answer=answer, truth=right, belief=float("nan"), **common)


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


def _remembered(
    agent: AttentionAgent, seen: dict[str, Tensor]
) -> tuple[tuple[np.ndarray, np.ndarray] | None, np.ndarray | None, np.ndarray | None, Tensor]:
    """(gate, recalled) of a memory of steps, else write and read weights (T, S); and the features (T, 1, F)."""
    steps = len(next(iter(seen.values())))
    state, features, wrote, read, gates = agent.initial_state(1), [], [], [], []
    last: dict[str, Tensor] = {}
    for step in range(steps):
        observation = {key: value[step] for key, value in seen.items()}
        feature, state = agent.remember(agent.sense(observation), state)
        features.append(feature)
        last = agent.memory.weights(state.memory)
        gates.append(float(last["write_gate"]) if "write_gate" in last else 1.0)
        if "write" in last:
            wrote.append(last["write"].reshape(-1, last["write"].shape[-1]).sum(0).cpu().numpy())
        if "read" in last:
            read.append(last["read"][0].mean(0).cpu().numpy())
    together = torch.stack(features)
    if isinstance(agent.memory, Episodic):
        slots = agent.memory.slots
        kept = np.zeros((agent.memory.hops, steps))  # the oldest steps have been overwritten
        for step in range(max(0, steps - slots), steps):
            kept[:, step] = last["read"][0, :, step % slots].cpu().numpy()
        return (np.array(gates), kept), None, None, together
    return None, np.array(wrote) if wrote else None, np.array(read) if read else None, together
