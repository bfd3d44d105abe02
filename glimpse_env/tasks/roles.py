"""The roles of the parts of observations and actions: what an agent needs to know to encode and to choose them.

A task may have roles of its own, for which somebody registers an encoder or a head.
"""

from __future__ import annotations

from gymnasium import spaces

ROLES: dict[str, str] = {
    "glimpse": "patches around the fixation, (scales, channels, height, width)",
    "overview": "the whole picture in coarse cells, (channels, height, width); the same at every step",
    "place": "the present fixation",
    "tokens": "ids of words, padded with 0",
    "around": "ids of the words around the fixation, without their order, of each scale in turn, padded with 0",
    "bits": "bits, and numbers beside them",
    "bag": "which words occur around the fixation, (scales, vocabulary)",
    "count": "how many cells a place is among",
    "clock": "steps taken, as a share of the episode",
    "values": "any numbers",
}
"""The roles of the parts of an observation."""

ACTION_ROLES: dict[str, type[spaces.Space]] = {
    "place": spaces.Box,  # the next fixation; without effect in the last step
    "saccade": spaces.Box,  # the same, as a step from the present fixation
    "class": spaces.Discrete,
    "classes": spaces.MultiDiscrete,
    "bits": spaces.MultiBinary,
    "stop": spaces.Discrete,  # 1 ends the episode
    "motion": spaces.Box,  # has its effect in this step
    "logits": spaces.Box,  # of an answer
}
"""The roles of the parts of an action, and the space of each."""


def check_roles(
    observation_space: spaces.Dict, action_space: spaces.Dict, roles: dict[str, str], action_roles: dict[str, str]
) -> None:
    """Check that every part of both spaces has a role, and a part of an action of a known role a space that suits it.

    Raises:
        ValueError: where one does not, with its name.
    """
    for parts, given in ((observation_space, roles), (action_space, action_roles)):
        if set(given) != set(parts):
            raise ValueError(f"roles are given to the parts {sorted(given)}, and the space has {sorted(parts)}")
    for part, role in action_roles.items():
        if role in ACTION_ROLES and not isinstance(action_space[part], ACTION_ROLES[role]):
            raise ValueError(f"role {role!r} of {part!r} needs {ACTION_ROLES[role].__name__}, got {action_space[part]}")
