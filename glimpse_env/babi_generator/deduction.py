"""Tasks 15 and 16: from a rule to a case, and from cases to a rule."""

from __future__ import annotations

from .world import Draws, Story

PEOPLE = ("Gertrude", "Winona", "Jessica", "Emily")
ANIMALS = {"mouse": "mice", "sheep": "sheep", "wolf": "wolves", "cat": "cats"}

COLOURED = ("Lily", "Bernhard", "Greg", "Julius", "Brian")
SPECIES = ("swan", "lion", "frog", "rhino")
COLOURS = ("gray", "white", "yellow", "green")

GROUPS: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.6, (0, 1, 1, 2)),
    (0.2, (0, 1, 2, 3)),
    (0.095, (0, 1, 1, 1)),
    (0.095, (0, 0, 0, 1)),
    (0.01, (0, 0, 0, 0)),
)
"""How often the four with a told colour fall into these groups of one species; the one asked about is of group 0."""


def basic_deduction(story: Story, draws: Draws) -> None:
    """Task 15: what is Emily afraid of? A person is of a species whose fear has been told before."""
    rules: dict[str, tuple[int, str]] = {}
    people: dict[str, tuple[int, str]] = {}
    while len(rules) + len(people) < len(ANIMALS) + len(PEOPLE):
        animal = draws.choice(tuple(ANIMALS))
        if draws.chance(0.5):
            if animal not in rules:
                feared = draws.choice([other for other in ANIMALS if other != animal])
                line = story.tell(f"{ANIMALS[animal].capitalize()} are afraid of {ANIMALS[feared]}.")
                rules[animal] = line, feared
        else:
            name = draws.choice(PEOPLE)
            if name not in people and animal in rules:
                people[name] = story.tell(f"{name} is a {animal}."), animal
    for _ in PEOPLE:
        name = draws.choice(PEOPLE)
        line, animal = people[name]
        rule, feared = rules[animal]
        story.ask(f"What is {name.lower()} afraid of?", feared, [line, rule])


def basic_induction(story: Story, draws: Draws) -> None:
    """Task 16: what color is Greg? That of the others of his species.

    In 7.5 % of the released stories those others differ in colour, and the answer is the colour of the one whose
    species was told last. Here a species has one colour, and different species may share it.
    """
    order: list[tuple[str, bool]] = []
    while len(order) < 2 * len(COLOURED) - 1:
        name, coloured = draws.choice(COLOURED), draws.chance(0.5)
        allowed = (name, False) in order and sum(told for _, told in order) < len(COLOURED) - 1
        if (name, coloured) not in order and (allowed or not coloured):
            order.append((name, coloured))
    asked = next(name for name in COLOURED if (name, True) not in order)

    shares, groups = zip(*GROUPS, strict=True)
    cut = draws.uniform() * sum(shares)
    group = next(g for i, g in enumerate(groups) if cut < sum(shares[: i + 1]))
    others = draws.sample([name for name in COLOURED if name != asked], 4)
    species = draws.sample(SPECIES, 4)
    of = {asked: species[0], **{name: species[i] for name, i in zip(others, group, strict=True)}}
    colours = {kind: draws.choice(COLOURS) for kind in SPECIES}

    lines: dict[tuple[str, bool], int] = {}
    for name, coloured in order:
        text = f"{name} is {colours[of[name]]}." if coloured else f"{name} is a {of[name]}."
        lines[name, coloured] = story.tell(text)
    like = [name for name, coloured in order if not coloured and name != asked and of[name] == of[asked]][-1]
    support = [lines[asked, False], lines[like, False], lines[like, True]]
    story.ask(f"What color is {asked}?", colours[of[asked]], support)
