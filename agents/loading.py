"""Agents by their environments, and agents from their weight files."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from agents.agent import AttentionAgent
from agents.config import AgentConfig
from agents.names import differences, names_in
from agents.options import format_options, parse_options
from agents.spec import EnvSpec, spec_of
from agents.story_map import StoryMapAgent, StoryMapConfig
from agents.training.checkpoint import load_checked
from agents.training.finite import all_finite


class Kind(NamedTuple):
    """A kind of agent: its class, and that of its options."""

    agent: type
    config: type


KINDS: dict[str, Kind] = {
    "attention": Kind(AttentionAgent, AgentConfig),
    "story_map": Kind(StoryMapAgent, StoryMapConfig),
}
"""Every kind of agent by its name. An agent of your own is one row."""


def kind_of(config: Any) -> str:
    """The name of the kind of agent that has these options."""
    return next(name for name, kind in KINDS.items() if kind.config is type(config))


def make_agent(env: Any, config: AgentConfig) -> AttentionAgent:
    """A fresh agent for an environment.

    Raises:
        ValueError: for a part of the observation or of the action that the agent has no encoder or head for.
    """
    return build_agent(spec_of(env), config)


def build_agent(spec: EnvSpec, config: AgentConfig) -> AttentionAgent:
    """A fresh agent for environments of this spec."""
    return KINDS[kind_of(config)].agent(spec, config)


def agent_to_dict(agent: AttentionAgent) -> dict[str, Any]:
    """The agent as plain types and tensors, for a checkpoint."""
    weights = {key: value.detach().cpu().clone() for key, value in agent.state_dict().items()}
    return {
        "kind": kind_of(agent.config),
        "spec": agent.spec.to_dict(),
        "config": asdict(agent.config),
        "weights": weights,
    }


def load_agent(path: str | Path, device: str | torch.device = "cpu") -> AttentionAgent:
    """The agent of a checkpoint or weight file, ready to be evaluated.

    Args:
        path: of the file, of a training's folder, or the name of a pretrained agent, such as "cluttered": see
            `agents.training.checkpoint.find_checkpoint`.
        device: where it is put.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a damaged file, one of another format, or weights that do not fit their own description.
    """
    return agent_from_dict(load_checked(path), path).to(device)


def agent_from_dict(values: dict[str, Any], path: str | Path, memory_options: tuple[str, ...] = ()) -> AttentionAgent:
    """The agent of a loaded checkpoint, which `path` names in errors.

    Args:
        values: of the checkpoint.
        path: of its file.
        memory_options: in place of those that it was trained with, such as ("slots=256",).

    Raises:
        ValueError: for an agent of another version, or whose weights do not fit these options or are not finite.
    """
    try:
        saved = values["agent"]
        config = KINDS[saved["kind"]].config(**saved["config"])
        if memory_options:
            if getattr(config, "memory", "none") == "none":
                raise ValueError(f"{path} has no memory that could have options")
            options = {**parse_options(config.memory_options), **parse_options(memory_options)}
            config = replace(config, memory_options=format_options(options))
        agent = build_agent(EnvSpec.from_dict(saved["spec"]), config)
        agent.load_state_dict(saved["weights"])
        agent.trained = {"recipe": values.get("recipe", {}), "names": names_in(values)}
    except (KeyError, TypeError, RuntimeError) as error:
        if memory_options:
            raise ValueError(f"{path} does not fit a memory with {' '.join(memory_options)} ({error})") from error
        raise ValueError(f"{path} holds an agent of another version ({error}); train one anew") from error
    if not all_finite(saved["weights"].values()):
        raise ValueError(f"{path} holds weights that are not finite: take another copy or train anew")
    return agent.eval()


def resized(agent: AttentionAgent, spec: EnvSpec) -> AttentionAgent:
    """The same agent for canvases and overviews of other sizes, on its device; itself where they are as in training.

    Args:
        agent: as it was loaded.
        spec: of the environment that it is to be used in, which its own fits.

    Raises:
        RuntimeError: where weights of an encoder of your own depend on such a size.
    """
    wanted = agent.spec.resized(spec)
    if wanted == agent.spec:
        return agent
    with torch.random.fork_rng(devices=[]):  # what it begins with is drawn, and of no use
        other = build_agent(wanted, agent.config)
    other.load_state_dict(agent.state_dict())
    other.trained = agent.trained
    return other.to(next(agent.parameters()).device).train(agent.training)


def copy_weights(agent: AttentionAgent, path: str | Path, names: dict[str, list[str]] | None = None) -> None:
    """Give an agent the weights of another that is made alike, such as one trained on shorter episodes.

    Args:
        agent: to be changed.
        path: of the other, or its name, as `load_agent` takes it.
        names: what the agent's numbers stand for, as weight files keep it; none are compared where either has none.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a damaged file, one of another format, other names, or an agent of other sizes.
    """
    try:
        values = load_checked(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; or begin anew, --init-from None") from error
    if names and (known := names_in(values)) and known != names:
        raise ValueError(f"{path} {differences(known, names)}; set the data as they were, or --init-from None")
    try:
        agent.load_state_dict(agent_from_dict(values, path).state_dict())
    except RuntimeError as error:
        raise ValueError(f"{path} holds an agent of other sizes ({error}); begin with one made alike") from error
