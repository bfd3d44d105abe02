"""Tasks 4, 17, 18 and 19: where things lie to one another, and which is bigger."""

from __future__ import annotations

from .world import PLACES, Draws, Story

Cell = tuple[int, int]

COMPASS: dict[str, Cell] = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
SIDES: dict[str, Cell] = {
    "above": (0, 1), "below": (0, -1), "to the right of": (1, 0), "to the left of": (-1, 0),
}  # fmt: skip
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
SHAPES = ("red square", "blue square", "yellow square", "pink rectangle", "triangle", "red sphere")
SIZES = ("container", "box", "suitcase", "chest")


def _shift(cell: Cell, step: Cell) -> Cell:
    return cell[0] + step[0], cell[1] + step[1]


def _name(steps: dict[str, Cell], step: Cell) -> str:
    return next(name for name, other in steps.items() if other == step)


def two_arg_relations(story: Story, draws: Draws) -> None:
    """Task 4: what is north of the kitchen, or what is the kitchen north of? Three places lie in a row."""
    ahead, middle, behind = draws.sample(PLACES, 3)
    way = draws.choice(tuple(COMPASS))
    facts = []
    for end, towards in draws.sample([(ahead, way), (behind, OPPOSITE[way])], 2):
        facts.append((end, towards, middle) if draws.chance(2 / 3) else (middle, OPPOSITE[towards], end))
    for one, towards, other in facts:
        story.tell(f"The {one} is {towards} of the {other}.")
    line = draws.choice((1, 2))
    one, towards, other = facts[line - 1]
    if draws.chance(0.5):
        story.ask(f"What is {towards} of the {other}?", one, [line])
    else:
        story.ask(f"What is the {other} {OPPOSITE[towards]} of?", one, [line])


def positional_reasoning(story: Story, draws: Draws) -> None:
    """Task 17: is the triangle to the left of the red square? Both are told of relative to a third.

    The three lie on different cells of a grid, the two one step from the third. A shape that is up and left of another
    is both above it and to its left.
    """
    middle, *ends = draws.sample(SHAPES, 3)
    cells = dict(zip(ends, draws.sample(tuple(SIDES.values()), 2), strict=True))
    for end, (x, y) in cells.items():
        if draws.chance(2 / 3):
            story.tell(f"The {middle} is {_name(SIDES, (-x, -y))} the {end}.")
        else:
            story.tell(f"The {end} is {_name(SIDES, (x, y))} the {middle}.")
    for _ in range(8):
        one, other = draws.sample(ends, 2)
        x, y = cells[one][0] - cells[other][0], cells[one][1] - cells[other][1]
        yes = draws.chance(0.5)
        side = draws.choice([side for side, (dx, dy) in SIDES.items() if (dx * x + dy * y > 0) == yes])
        story.ask(
            f"Is the {one} {side} the {other}?", "yes" if yes else "no", [1 + ends.index(one), 1 + ends.index(other)]
        )


def size_reasoning(story: Story, draws: Draws) -> None:
    """Task 18: is the box bigger than the chocolate, or does it fit in it? By two comparisons.

    As in the released files, the chocolate is always the smallest and the box of chocolates smaller than the four
    containers, whose order is drawn for each story: 92 % of the answers follow from the question alone.
    """
    order = ["chocolate", "box of chocolates", *draws.sample(SIZES, 4)]
    facts: dict[tuple[str, str], list[int]] = {}
    chains: list[tuple[str, str, str]] = []
    while not chains:
        for _ in range(5):
            i, j = sorted(draws.sample(range(6), 2))
            small, big = order[i], order[j]
            text = f"{small} fits inside the {big}" if draws.chance(0.5) else f"{big} is bigger than the {small}"
            facts.setdefault((big, small), []).append(story.tell(f"The {text}."))
        chains = [(big, middle, small) for big, middle in facts for other, small in facts if other == middle]
    for _ in range(5):
        big, middle, small = draws.choice(chains)
        support = [draws.choice(facts[big, middle]), draws.choice(facts[middle, small])]
        yes, fit = draws.chance(0.5), draws.chance(0.5)
        one, other = (big, small) if yes != fit else (small, big)
        question = f"Does the {one} fit in the {other}?" if fit else f"Is the {one} bigger than the {other}?"
        story.ask(question, "yes" if yes else "no", support if yes else support[::-1])


def path_finding(story: Story, draws: Draws) -> None:
    """Task 19: how do you go from the garden to the office? By two steps through a third place.

    Six places lie on different cells of a grid (in 7 % of the released stories two share one); five facts join them to
    a tree, so there is one way.
    """
    start, middle, end, *others = draws.sample(PLACES, 6)
    first, second = draws.choice([(a, b) for a in COMPASS for b in COMPASS if b != OPPOSITE[a]])
    cells: dict[str, Cell] = {start: (0, 0), middle: COMPASS[first]}
    cells[end] = _shift(cells[middle], COMPASS[second])
    facts = [(start, middle, first), (middle, end, second)]
    for other in others:
        near, way = draws.choice([
            (near, way)
            for near in (start, middle, end)
            for way, step in COMPASS.items()
            if _shift(cells[near], step) not in cells.values()
        ])  # fmt: skip
        cells[other] = _shift(cells[near], COMPASS[way])
        facts.append((near, other, way))
    order = draws.sample(range(5), 5)
    for i in order:
        near, other, way = facts[i]
        one = f"The {other} is {way} of the {near}."
        story.tell(one if draws.chance(0.5) else f"The {near} is {OPPOSITE[way]} of the {other}.")
    support = [1 + order.index(0), 1 + order.index(1)]
    story.ask(f"How do you go from the {start} to the {end}?", f"{first[0]},{second[0]}", support)
