"""Agents by their spaces, and agents from their weight files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces

from agents.agent import AgentConfig, AttentionAgent
from agents.baselines import CNNConfig, WholeImageCNN
from agents.checkpoint import load_checked

Agent = AttentionAgent | WholeImageCNN

KINDS: dict[str, tuple[type, type]] = {
    "attention": (AttentionAgent, AgentConfig),
    "cnn": (WholeImageCNN, CNNConfig),
}


def make_agent(observation_space: spaces.Space, action_space: spaces.Space, config: AgentConfig | CNNConfig) -> Agent:
    """A fresh agent for an environment's single spaces.

    Raises:
        ValueError: for spaces that are not those of a glimpse task.
    """
    seen = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {}
    done = action_space.spaces if isinstance(action_space, spaces.Dict) else {}
    answer = done.get("answer")
    if not {"glimpse", "location"} <= set(seen) or "location" not in done or not isinstance(answer, spaces.Discrete):
        raise ValueError(
            "the agent needs an observation Dict with 'glimpse' and 'location' and an action Dict with 'location' and "
            f"a Discrete 'answer'; got {observation_space} and {action_space}"
        )
    return build_agent(seen["glimpse"].shape or (), int(answer.n), config)


def build_agent(glimpse: tuple[int, ...], classes: int, config: AgentConfig | CNNConfig) -> Agent:
    """A fresh agent for glimpses of this shape (scales, channels, height, width) and this number of answers."""
    if isinstance(config, CNNConfig):
        return WholeImageCNN(glimpse, classes, config)
    return AttentionAgent(glimpse, classes, config)


def agent_to_dict(agent: Agent) -> dict[str, Any]:
    """The agent as plain types and tensors, for a checkpoint."""
    kind = next(name for name, (cls, _) in KINDS.items() if isinstance(agent, cls))
    weights = {key: value.detach().cpu().clone() for key, value in agent.state_dict().items()}
    form = {"kind": kind, "glimpse": list(agent.glimpse), "classes": agent.classes, "config": asdict(agent.config)}
    return {**form, "weights": weights}


def load_agent(path: str | Path, device: str | torch.device = "cpu") -> Agent:
    """The agent of a checkpoint or weight file, ready to be evaluated.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a damaged file, one of another format, or weights that do not fit their own description.
    """
    return agent_from_dict(load_checked(path, device), path).to(device)


def agent_from_dict(values: dict[str, Any], path: str | Path) -> Agent:
    """The agent of a loaded checkpoint, which `path` names in errors."""
    try:
        saved = values["agent"]
        config = KINDS[saved["kind"]][1](**saved["config"])
        agent = build_agent(tuple(saved["glimpse"]), saved["classes"], config)
        agent.load_state_dict(saved["weights"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} holds an agent of another version ({error}); train one anew") from error
    return agent.eval()
