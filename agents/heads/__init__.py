"""From features to an action: a head for every part, chosen by the part's role."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agents.heads.answer import BitsHead, ClassHead, LogitsHead, StopHead
from agents.heads.base import AnswerHead, Head, Survey, View, ViewSize
from agents.heads.cells import CellHead
from agents.heads.place import PlaceHead, StayHead
from agents.heads.words import WordHead
from agents.named import NamedModules
from agents.spec import Parts, PartSpec

if TYPE_CHECKING:
    from agents.config import AgentConfig

__all__ = ["HEADS", "AnswerHead", "Head", "Survey", "View", "ViewSize", "make_heads", "register_head"]

MakeHead = Callable[[PartSpec, int, ViewSize, "AgentConfig"], Head]


CANDIDATES: dict[str, type[Head]] = {"cells": CellHead, "words": WordHead}
"""Heads that choose among candidates, by the option `saccades`; they refuse a part that is no place."""


def place_head(part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> Head:
    """The head that `saccades` names."""
    heads: dict[str, type[Head]] = {"none": StayHead, **CANDIDATES}
    return heads.get(config.saccades, PlaceHead)(part, features, view, config)


def saccade_head(part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> Head:
    """The same, of an environment that takes steps: a step of nothing is no head of its own."""
    return CANDIDATES.get(config.saccades, PlaceHead)(part, features, view, config)


HEADS: dict[str, MakeHead] = {
    "place": place_head,
    "saccade": saccade_head,
    "motion": PlaceHead,
    "class": ClassHead,
    "classes": ClassHead,
    "bits": BitsHead,
    "logits": LogitsHead,
    "stop": StopHead,
}
"""Every head by the role of the part of an action that it is for."""


def register_head(role: str, make: MakeHead) -> None:
    """Add a head for a role of your own.

    Raises:
        ValueError: for a role that has one.
    """
    if role in HEADS:
        raise ValueError(f"there is a head for {role!r} already; choose another role")
    HEADS[role] = make


def make_heads(action: Parts, features: int, views: dict[str, ViewSize], config: AgentConfig) -> NamedModules:
    """A head for every part of an action.

    Args:
        action: its parts by name.
        features: width of the features.
        views: sizes of the view of each.
        config: of the agent.

    Raises:
        ValueError: for a part whose role no head is for, by its name.
    """
    for name, part in action.items():
        if part.role not in HEADS:
            raise ValueError(
                f"no head is for the action's part {name!r} of role {part.role!r}: give it one of {', '.join(HEADS)}, "
                "or register a head (agents.heads.register_head)"
            )
    return NamedModules({name: HEADS[part.role](part, features, views[name], config) for name, part in action.items()})
