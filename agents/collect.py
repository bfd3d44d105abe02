"""The one function that plays episodes: an agent and any environment in, a `Trajectory` out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.agent import Decision
from agents.batched_env import BatchedEnv
from agents.heads import Head
from agents.trajectory import Moments, Trajectory, Watched, at_steps, scored_steps
from agents.watching import Watcher


def collect(
    agent: Any,
    env: BatchedEnv,
    episodes: np.ndarray,
    *,
    seed: int = 0,
    noise: Mapping[str, Tensor] | None = None,
    std: float | Tensor = 0.0,
    given: Mapping[str, Tensor] | None = None,
    led: Tensor | None = None,
    steps: int | None = None,
    watch: bool = False,
) -> Trajectory:
    """One episode a row.

    Episodes whose observations do not depend on actions are read ahead, and decided where an answer is scored. All
    others are played step by step: with gradient, or, by an agent that evaluates whole episodes at once, without
    gradient first.

    Args:
        agent: decides; its parameters get gradients unless this is called under `torch.no_grad`.
        env: of as many rows as there are episodes.
        episodes: (N,) episode numbers.
        seed: of the environment, for every row.
        noise: (T, N, …) random numbers by part of the action, from `Head.noise`: these parts are drawn from their
            distributions, all others are the likeliest.
        std: standard deviation of the places that are drawn, in the policy's unit.
        given: (T, N, …) or (T - 1, N, …) actions by part, in place of the agent's: a scripted gaze.
        led: (N,) bool, the rows whose actions are drawn around what is given, by the same noise as the others'; None:
            all rows do exactly what is given.
        steps: of the longest episode, where these are played step by step; None is the environment's horizon.
        watch: keep what the memory did; this reads ahead step by step.

    Raises:
        ValueError: for a target in some steps or rows only, or another number of episodes than rows.
    """
    if len(episodes) != env.num_envs:
        raise ValueError(f"{len(episodes)} episodes for an environment of {env.num_envs} rows: pass one number a row")
    if env.read_ahead:
        return _read(agent, env, episodes, seed, noise or {}, watch)
    return _act(agent, env, episodes, seed, noise or {}, std, given or {}, led, steps or env.horizon, watch)


def _act(
    agent: Any,
    env: BatchedEnv,
    episodes: np.ndarray,
    seed: int,
    noise: Mapping[str, Tensor],
    std: float | Tensor,
    given: Mapping[str, Tensor],
    led: Tensor | None,
    horizon: int,
    watch: bool,
) -> Trajectory:
    """Episodes that wait for the agent, all of them to the end of the longest."""
    observation, info = env.reset(seed, episodes)
    at_once = agent.at_once and torch.is_grad_enabled()
    state, alive = agent.initial_state(env.num_envs), torch.ones(env.num_envs, dtype=torch.bool, device=env.device)
    seen, decisions, done, steps, lives = [], [], [], [], []
    watcher = Watcher(agent) if watch else None
    for step in range(horizon):
        seen.append(observation)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not at_once):
            decision = agent(observation, state)
        state = decision.state
        if watcher is not None:
            watcher.add(state, alive)
        actions = _choose(agent, decision, step, noise, std, given, led)
        outcome = env.step(actions)
        observation = outcome.observation
        decisions.append(decision._replace(state=None))  # a memory's state is large, and the last alone is wanted
        done.append(actions)
        steps.append(outcome)
        lives.append(alive)
        alive = alive & ~outcome.ended
        if env.all_over(alive):
            break
    observations = Moments(seen)
    decided = _stacked_decisions(agent, decisions, state)
    if at_once:
        decided = agent.evaluate_episodes(observations, None, decided.kept)
    lived = torch.stack(lives)
    for key in env.metadata.get("episode_metrics", ()):
        info[key] = torch.stack([outcome.info[key] for outcome in steps]).gather(0, lived.sum(0, keepdim=True) - 1)[0]
    target, scored = _targets(env, steps, lived)
    actions = _stacked(done)
    log_prob = {
        name: agent.heads[name].log_prob(decided.params[name], actions[name], std * decided.unit)
        for name in noise
        if name not in given or led is not None
    }
    demonstrated = {} if led is None else {name: _demonstrated(agent, name, decided, given, std) for name in given}
    moved = None if led is None else _moved(agent, given, len(lived))
    found = None if led is None else _found(agent, observations, given)
    likelihood, hits = _compare(agent, decided.params, actions, target, lived)
    if env.metadata.get("judges"):
        hits = torch.stack([outcome.info["correct"] for outcome in steps])[..., None]
    value = _value(agent, observations, None, decided, target, likelihood) if log_prob else None
    return Trajectory(
        observations, None, decided.params, actions, log_prob, value,
        torch.stack([outcome.reward for outcome in steps]) * lived, lived, target, scored, likelihood, hits,
        lived.sum(0), info, episodes, watcher.watched() if watcher is not None else None, led,
        demonstrated, moved, found, bool(env.metadata.get("answers_act")),
    )  # fmt: skip


def _read(
    agent: Any, env: BatchedEnv, episodes: np.ndarray, seed: int, noise: Mapping[str, Tensor], watch: bool
) -> Trajectory:
    """Episodes that are read ahead, decided where an answer is scored."""
    whole = env.whole(seed, episodes)
    steps = scored_steps(whole.scored, env.metadata["max_answers"])
    decided = agent.evaluate_episodes(whole.observations, steps)
    target, scored, worth = (at_steps(value, steps) for value in (whole.target, whole.scored, whole.worth))
    head: Head = agent.heads["answer"]
    params = decided.params["answer"]
    drawn = "answer" in noise
    answer = head.draw(params.detach(), noise["answer"][: len(steps)], 0.0) if drawn else head.mode(params.detach())
    actions = {"answer": answer}
    log_prob = {"answer": head.log_prob(params, answer)} if drawn else {}
    likelihood, hits = _compare(agent, decided.params, actions, target, scored)
    assert hits is not None
    value = _value(agent, whole.observations, steps, decided, target, likelihood) if drawn else None
    watched = _watch_reading(agent, whole.observations, whole.length) if watch else None
    return Trajectory(
        whole.observations, steps, decided.params, actions, log_prob, value,
        worth * hits.sum(-1), scored, target, scored, likelihood, hits, whole.length, whole.info, episodes, watched,
    )  # fmt: skip


def _choose(
    agent: Any,
    decision: Decision,
    step: int,
    noise: Mapping[str, Tensor],
    std: float | Tensor,
    given: Mapping[str, Tensor],
    led: Tensor | None,
) -> dict[str, Tensor]:
    """The actions of a step: given, drawn, or the likeliest."""
    actions = {}
    for name, head in agent.heads.items():
        params, scripted = decision.params[name].detach(), name in given and step < len(given[name])
        if scripted and led is None:
            actions[name] = given[name][step]
            continue
        deviation = std * decision.unit
        drawn = head.draw(params, noise[name][step], deviation) if name in noise else head.mode(params)
        if scripted and led is not None:
            shown = head.draw(head.around(given[name][step]), noise[name][step], deviation)
            drawn = torch.where(led[:, None], shown, drawn)
        actions[name] = drawn
    return actions


def _demonstrated(agent: Any, name: str, decided: Decision, given: Mapping[str, Tensor], std: float | Tensor) -> Tensor:
    """(T, N) log-probability of the actions that are given for a part; 0 where none is."""
    params, steps = decided.params[name], len(given[name])
    unit = decided.unit if isinstance(decided.unit, float) else decided.unit[:steps]
    known = agent.heads[name].log_prob(params[:steps], given[name][: len(params)], std * unit)
    return torch.cat([known, known.new_zeros(len(params) - len(known), *known.shape[1:])])


def _moved(agent: Any, given: Mapping[str, Tensor], steps: int) -> Tensor | None:
    """(T, N) bool, whether the place that is given is another one than was given before, even where a new canvas put
    the gaze in its middle: at first always, and never where none is given."""
    name = agent.place_part()
    if name not in given:
        return None
    moved = torch.ones(given[name].shape[:2], dtype=torch.bool, device=given[name].device)
    moved[1:] = (given[name][1:] != given[name][:-1]).any(-1)
    return torch.cat([moved, moved.new_zeros(max(0, steps - len(moved)), moved.shape[1])])[:steps]


def _found(agent: Any, observations: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Tensor | None:
    """(T, N) bool, whether a place so far had what was given within its finest patch; None where that is not known."""
    name = agent.place_part()
    size = agent.views[name] if name in given else None
    if size is None or not size.cell:
        return None
    *_, height, width = size.glimpse
    here = observations[name]
    shown = torch.cat([given[name][:1], given[name]])[: len(here)]
    x, y = (here - shown).abs().unbind(-1)
    return ((x <= width * size.cell[0] / 2) & (y <= height * size.cell[1] / 2)).cumsum(0) > 0


def _targets(env: BatchedEnv, steps: list, alive: Tensor) -> tuple[Tensor | None, Tensor]:
    """The right answers (T, N, …), None where the environment tells none, and which of them count, (T, N) bool."""
    nothing = torch.zeros_like(alive[0])
    scored = torch.stack([outcome.info.get("scored", nothing) for outcome in steps]) & alive
    present = ["target" in outcome.info for outcome in steps]
    if not any(present):
        return None, scored
    rows = [outcome.info.get("_target", ~nothing) if "target" in outcome.info else nothing for outcome in steps]
    if not all(present) if env.native else bool((alive & ~torch.stack(rows)).any()):
        raise ValueError("info has a target in some steps or rows only: it must after every step, or never")
    if "scored" not in steps[0].info:
        raise ValueError("info has a target and not whether the answer counts: give info['scored'] (N,) bool, too")
    last = steps[0].info["target"]  # once all rows are over, a vector environment tells nothing more
    targets = [last := outcome.info.get("target", last) for outcome in steps]
    return torch.stack(targets), scored


def _compare(
    agent: Any, params: dict[str, Tensor], actions: dict[str, Tensor], target: Tensor | None, alive: Tensor
) -> tuple[Tensor, Tensor | None]:
    """log p(target) (Q, N), zeros without a target; and which parts of the answers are right."""
    head = agent.answer_head()
    if head is None or target is None:
        return torch.zeros(alive.shape, device=alive.device), None
    return head.log_prob(params["answer"], target), head.hits(actions["answer"], target)


def _value(
    agent: Any,
    observations: Mapping[str, Tensor],
    steps: Tensor | None,
    decided: Decision,
    target: Tensor | None,
    likelihood: Tensor,
) -> Tensor | None:
    """(Q, N) of the agent's baseline."""
    place = agent.place_part()
    here = None if place is None else at_steps(observations[place], steps).flatten(0, 1)
    targets = None if target is None else target.flatten(0, 1)
    value = agent.expected_return(here, decided.features.flatten(0, 1), targets, likelihood.flatten())
    return None if value is None else value.unflatten(0, likelihood.shape)


def _watch_reading(agent: Any, observations: dict[str, Tensor], length: Tensor) -> Watched:
    """What the memory does where the observations (T, N, …) are read step by step."""
    watcher = Watcher(agent)
    state = agent.initial_state(next(iter(observations.values())).shape[1])
    for step in range(len(next(iter(observations.values())))):
        state = agent({name: value[step] for name, value in observations.items()}, state).state
        watcher.add(state, step < length)
    return watcher.watched()


def _stacked(moments: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([moment[name] for moment in moments]) for name in moments[0]}


def _stacked_decisions(agent: Any, decisions: list[Decision], state: Any) -> Decision:
    """Decisions of (N, …), one a step, as one of (T, N, …); and the state after the last."""
    params = {}
    for name, head in agent.heads.items():
        each = [decision.params[name] for decision in decisions]
        if head.acts_on_next:  # the last one leads nowhere: nothing is learned from it
            each[-1] = each[-1].detach()
        params[name] = torch.stack(each)
    unit = decisions[0].unit
    return Decision(
        params,
        torch.stack([decision.features.detach() for decision in decisions]),
        torch.stack([decision.unit for decision in decisions]) if isinstance(unit, Tensor) else unit,  # type: ignore[misc]
        state,
        _stacked([decision.kept for decision in decisions]),
    )
