"""Agents that look and recall."""

from __future__ import annotations

from agents.agent import AgentState, AttentionAgent, Decision
from agents.batched_env import BatchedEnv
from agents.collect import collect
from agents.config import AgentConfig
from agents.encoders import register_encoder
from agents.evaluation import EvalResult, evaluate
from agents.external_env import ExternalEnv, Names
from agents.heads import register_head
from agents.loading import load_agent, make_agent
from agents.spec import EnvSpec, PartSpec, spec_of
from agents.story_map import StoryMapAgent, StoryMapConfig
from agents.trajectory import Trajectory

__all__ = [
    "AgentConfig",
    "AgentState",
    "AttentionAgent",
    "BatchedEnv",
    "Decision",
    "EnvSpec",
    "EvalResult",
    "ExternalEnv",
    "Names",
    "PartSpec",
    "StoryMapAgent",
    "StoryMapConfig",
    "Trajectory",
    "collect",
    "evaluate",
    "load_agent",
    "make_agent",
    "register_encoder",
    "register_head",
    "spec_of",
]
