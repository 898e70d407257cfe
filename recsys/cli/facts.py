"""Names and defaults for help texts, read from the source files that define them.

Importing those modules would import NumPy, SciPy and Numba, and `--help` would take seconds. So their syntax trees are
searched instead: help shows the facts of the library without a second list of them.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def _tree(module: str) -> ast.Module:
    """The syntax tree of a module or package of recsys, such as "dataset.split"."""
    path = PACKAGE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _assigned(module: str, name: str) -> ast.expr:
    """The expression that a module assigns to a name."""
    for node in _tree(module).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                return node.value
    raise LookupError(f"recsys.{module} does not assign {name}")


def constant(module: str, name: str) -> Any:
    """The value of `NAME = <literal>`."""
    return ast.literal_eval(_assigned(module, name))


def choices(module: str, name: str) -> tuple[str, ...]:
    """The values of `NAME = Literal[...]`."""
    literal = _assigned(module, name)
    assert isinstance(literal, ast.Subscript)
    values = ast.literal_eval(literal.slice)
    return values if isinstance(values, tuple) else (values,)


def datasets() -> tuple[str, ...]:
    """Names of the datasets that can be downloaded."""
    calls = [node for node in ast.walk(_assigned("ingest.datasets", "DATASETS")) if isinstance(node, ast.Call)]
    return tuple(ast.literal_eval(call.args[0]) for call in calls)


def models() -> dict[str, dict[str, Any]]:
    """The settings of each kind of model with their defaults, in the order of `recsys.models.MODELS`."""
    table = _assigned("models", "MODELS")
    assert isinstance(table, ast.DictComp)
    classes = table.generators[0].iter
    assert isinstance(classes, ast.Tuple)
    modules = {
        alias.name: node.module.removeprefix("recsys.")
        for node in _tree("models").body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    found: dict[str, dict[str, Any]] = {}
    for learner in classes.elts:
        assert isinstance(learner, ast.Name)
        name, settings = _settings(modules[learner.id], learner.id)
        found[name] = settings
    return found


def default(module: str, class_name: str, field: str) -> Any:
    """The default of a field of a dataclass."""
    return _default(_fields(module, class_name)[field])


def _settings(module: str, class_name: str) -> tuple[str, dict[str, Any]]:
    """The name of a learner, and its settings with their defaults: `field: type = setting(default, ...)`."""
    fields = _fields(module, class_name)
    settings = {field: _default(value) for field, value in fields.items() if isinstance(value, ast.Call)}
    return ast.literal_eval(fields["name"]), settings


def _fields(module: str, class_name: str) -> dict[str, ast.expr]:
    """The fields of a class that have a value: `field: type = <value>`."""
    [found] = [node for node in _tree(module).body if isinstance(node, ast.ClassDef) and node.name == class_name]
    return {
        node.target.id: node.value
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None
    }


def _default(value: ast.expr) -> Any:
    """A field's default: a literal, `setting(<literal>, ...)` or `dataclasses.field(default=<literal>)`."""
    if isinstance(value, ast.Call):
        [value] = [*value.args[:1], *(keyword.value for keyword in value.keywords if keyword.arg == "default")]
    return ast.literal_eval(value)
