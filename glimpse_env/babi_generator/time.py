"""Task 14: moves told with the time of day, not in order.

Each person moves once at each of four times, in order; of the lines between two questions, none is told in its place.
"""

from __future__ import annotations

from .knowing import PEOPLE_IN_DOUBT, PLACES_IN_DOUBT
from .moving import QUESTIONS
from .world import VERBS, WINDOW, Draws, Story

TIMES = ("yesterday", "this morning", "this afternoon", "this evening")


def _sentence(name: str, place: str, time: str, draws: Draws) -> str:
    move = f"{name} {draws.choice(VERBS['move'])} the {place}"
    return f"{time.capitalize()} {move}." if draws.chance(0.5) else f"{move} {time}."


def _deranged(moves: list[tuple[str, int]], draws: Draws) -> list[tuple[str, int]]:
    order = moves
    while any(one == other for one, other in zip(order, moves, strict=True)):
        order = draws.sample(moves, len(moves))
    return order


def time_reasoning(story: Story, draws: Draws) -> None:
    """Task 14: where was Julie before the park? The place she went to at the time before."""
    moves: dict[str, list[str]] = {name: [] for name in PEOPLE_IN_DOUBT}
    lines: dict[tuple[str, int], int] = {}
    clauses: list[tuple[str, int]] = []
    untold: list[tuple[str, int]] = []
    while story.questions < QUESTIONS:
        for _ in range(2):
            name = draws.choice([name for name in PEOPLE_IN_DOUBT if len(moves[name]) < len(TIMES)])
            here = moves[name][-1:]
            untold.append((name, len(moves[name])))
            moves[name].append(draws.choice([place for place in PLACES_IN_DOUBT if place not in here]))
        clauses += untold[-2:]
        known = [(name, i) for name, i in clauses[-WINDOW:] if i > 0 and moves[name][i] not in moves[name][i + 1 :]]
        if known:
            for name, i in _deranged(untold, draws):
                lines[name, i] = story.tell(_sentence(name, moves[name][i], TIMES[i], draws))
            untold = []
            name, i = draws.choice(known)
            support = [lines[name, i], lines[name, i - 1]]
            story.ask(f"Where was {name} before the {moves[name][i]}? ", moves[name][i - 1], support)
