"""Who imports whom, and that nothing outside a folder asks for its classes: read from the source, nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "glimpse_env": {"glimpse_env"},
    "memory": {"memory"},
    "agents": {"agents", "memory"},
    "runs": {"runs", "agents", "memory", "glimpse_env"},
}
"""Imports run one way."""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that a file imports; the name is empty for a whole module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def classes(folder: str, bases: set[str]) -> set[str]:
    """The names of all classes in a folder that descend from one of these, and these."""
    found: dict[str, set[str]] = {}
    for path in modules(folder):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    known = set(bases)
    while more := {name for name, parents in found.items() if parents & known} - known:
        known |= more
    return known


FAMILIES = {
    "glimpse_env": classes("glimpse_env", {"Task", "GlimpseEnv", "GlimpseVectorEnv"}) - {"Task"},
    "memory": classes("memory", {"Memory"}) - {"Memory"},
    "agents": classes("agents", {"AttentionAgent", "WholeImageCNN", "ExternalEnv", "Encoder", "Head"})
    - {"Encoder", "Head"},
}
"""Classes of which nobody outside their folder may ask whether something is one."""


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_run_one_way(folder: str):
    own = set(MAY_IMPORT)
    for path in modules(folder):
        wrong = {module for module, _ in imports(path) if module.split(".")[0] in own - MAY_IMPORT[folder] | {"tests"}}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_glimpse_env_imports_no_torch_at_its_top():
    for path in modules("glimpse_env"):
        top = ast.parse(path.read_text()).body
        names = [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in top if isinstance(node, ast.ImportFrom)]
        assert not [name for name in names if name.split(".")[0] == "torch"], path


def test_no_module_outside_its_folder_names_a_task():
    tasks = FAMILIES["glimpse_env"] - {"GlimpseEnv", "GlimpseVectorEnv"}
    assert {"Classify", "Babi", "BabiGaze", "Copy"} <= tasks
    for folder in ("agents", "memory", "runs"):
        for path in modules(folder):
            named = {name for module, name in imports(path) if module.startswith("glimpse_env") and name in tasks}
            inner = {module for module, _ in imports(path) if module.startswith("glimpse_env.tasks.")}
            assert not named, f"{path.relative_to(ROOT)} imports {named}"
            assert inner <= {"glimpse_env.tasks.records"}, f"{path.relative_to(ROOT)} imports {inner}"


def test_nothing_is_asked_for_its_class_outside_its_folder():
    asked = []
    for folder in MAY_IMPORT:
        others = set().union(*(names for home, names in FAMILIES.items() if home != folder))
        for path in modules(folder):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                    names = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
                    names |= {n.attr for n in ast.walk(node.args[1]) if isinstance(n, ast.Attribute)}
                    asked += [f"{path.relative_to(ROOT)}:{node.lineno} {name}" for name in names & others]
    assert not asked, asked


def test_no_module_names_a_registered_id():
    """Recipes, benchmarks and tables of results name ids; code that treats one id differently from another does not."""
    from glimpse_env.tasks import TASKS

    data = {"agents/training/recipe.py"}
    for folder in ("agents", "memory", "runs"):
        for path in modules(folder):
            name = str(path.relative_to(ROOT))
            if name in data or name.startswith(("runs/recipes/", "runs/benchmarks/", "runs/tables/")):
                continue
            found = {
                node.value for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in TASKS
            }  # fmt: skip
            assert not found, f"{name} names {found}"
