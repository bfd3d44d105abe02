"""Agents by their spaces, and agents from their weight files."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces

from agents.agent import AgentConfig, AttentionAgent
from agents.baselines import CNNConfig, WholeImageCNN
from agents.checkpoint import load_checked
from agents.imagining import ImaginingAgent
from agents.options import format_options, parse_options
from agents.spaces import Form, form_of

Agent = AttentionAgent | WholeImageCNN

KINDS: dict[str, tuple[type, type]] = {
    "attention": (AttentionAgent, AgentConfig),
    "cnn": (WholeImageCNN, CNNConfig),
}


def make_agent(observation_space: spaces.Space, action_space: spaces.Space, config: AgentConfig | CNNConfig) -> Agent:
    """A fresh agent for an environment's single spaces.

    Raises:
        ValueError: for spaces that the agent has no sense for.
    """
    return build_agent(form_of(observation_space, action_space), config)


def build_agent(form: Form, config: AgentConfig | CNNConfig) -> Agent:
    """A fresh agent for environments of this form."""
    if isinstance(config, CNNConfig):
        return WholeImageCNN(form, config)
    return (ImaginingAgent if config.imagine else AttentionAgent)(form, config)


def agent_to_dict(agent: Agent) -> dict[str, Any]:
    """The agent as plain types and tensors, for a checkpoint."""
    kind = next(name for name, (cls, _) in KINDS.items() if isinstance(agent, cls))
    weights = {key: value.detach().cpu().clone() for key, value in agent.state_dict().items()}
    return {"kind": kind, "form": agent.form.to_dict(), "config": asdict(agent.config), "weights": weights}


def load_agent(path: str | Path, device: str | torch.device = "cpu") -> Agent:
    """The agent of a checkpoint or weight file, ready to be evaluated.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a damaged file, one of another format, or weights that do not fit their own description.
    """
    return agent_from_dict(load_checked(path, device), path).to(device)


def agent_from_dict(values: dict[str, Any], path: str | Path, memory_options: tuple[str, ...] = ()) -> Agent:
    """The agent of a loaded checkpoint, which `path` names in errors.

    Args:
        values: of the checkpoint.
        path: of its file.
        memory_options: in place of those that it was trained with, such as ("slots=256",).

    Raises:
        ValueError: for an agent of another version, or whose weights do not fit these options.
    """
    try:
        saved = values["agent"]
        config = KINDS[saved["kind"]][1](**saved["config"])
        if memory_options:
            if not isinstance(config, AgentConfig) or config.memory == "none":
                raise ValueError(f"{path} has no memory that could have options")
            options = {**parse_options(config.memory_options), **parse_options(memory_options)}
            config = replace(config, memory_options=format_options(options))
        agent = build_agent(Form.from_dict(saved["form"]), config)
        agent.load_state_dict(saved["weights"])
    except (KeyError, TypeError, RuntimeError) as error:
        if memory_options:
            raise ValueError(f"{path} does not fit a memory with {' '.join(memory_options)} ({error})") from error
        raise ValueError(f"{path} holds an agent of another version ({error}); train one anew") from error
    return agent.eval()


def copy_weights(agent: Agent, path: str | Path, words: Any = None) -> None:
    """Give an agent the weights of another that is made alike, such as one trained on shorter episodes.

    Args:
        agent: to be changed.
        path: of the other; a relative one is looked for in the present folder, then beside this package.
        words: that the agent's numbers stand for, as weight files keep them.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a damaged file, one of another format, other words, or an agent of other sizes.
    """
    found = Path(path) if Path(path).is_file() else Path(__file__).parents[1] / path
    if not found.is_file():
        raise FileNotFoundError(
            f"no weights at {path} to begin with: train them first, or begin anew with --begin None"
        )
    values = load_checked(found)
    if values.get("words") != words:
        raise ValueError(
            f"{path} knows other words than the stories found now: set GLIMPSE_DATA as it was, or --begin None"
        )
    try:
        agent.load_state_dict(agent_from_dict(values, found).state_dict())
    except RuntimeError as error:
        raise ValueError(f"{path} holds an agent of other sizes ({error}); begin with one made alike") from error
