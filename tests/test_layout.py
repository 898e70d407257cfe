"""The rules of the layout: direction of imports, docstrings, no side effects of imports, nothing tracked by mistake."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "recsys").rglob("*.py"))

LAYOUT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "limits": (),
    "threads": (),
    "progress": (),
    "addresses": (),
    "atomic": (),
    "heap": (),
    "topk": (),
    "tiles": (),
    "inner_products": (),
    "products": (),
    "dataset": (
        "interactions", "titles", "title_search", "catalog", "split", "weighting", "attributes", "statistics",
        "genre_affinity", "origins", "dataset",
    ),
    "ingest": (
        "ids", "delimited", "datasets", "download", "validation", "layout", "values", "blocks", "tables", "digits",
        "ratings", "items", "vectors", "users", "exports", "prepare", "sources",
    ),
    "space": (
        "embedding", "evidence", "axis", "item_map", "item_clusters", "rotation", "auc", "naming", "questions",
        "probes", "fidelity", "layout", "clustering", "decompose", "profile", "discovery", "walk",
    ),
    "models": (
        "user_batch", "fitted", "settings", "start", "learner", "model", "least_squares", "simd", "ials_solver",
        "ials", "als", "bpr_epoch", "bpr", "early_stopping", "encoder", "vae_training", "row_adam", "vae_sampled",
        "vae", "sequence_encoder", "sequence_training", "sequence", "blend", "ease", "itemknn", "popular", "mllib",
        "imported",
    ),
    "recommend": ("candidates", "topn", "reasons", "steer", "queries", "rerank", "compare"),
    "evaluation": (
        "serialization", "interval", "ranking", "few_ratings", "evaluate", "tune", "vectors", "retrieval",
        "linear_probes", "clusters", "shape", "smoothness", "compression", "divergence", "baselines",
        "analogies", "stability", "report", "significance", "succession",
    ),
    "plots": (
        "escape", "colours", "dimensions", "quality", "compression", "overlap", "data", "map", "picture", "report",
    ),
    "store": (
        "files", "schema", "artifacts", "tensors", "parts", "catalog", "origins", "ratings", "prepared", "models",
        "maps", "axes", "clusters", "measurements",
    ),
    "engines": ("remote", "session", "tasks", "ratings", "als", "lists"),
    "workflows": (
        "common", "batch_output", "prepare", "train", "evaluate", "recommend", "similar", "inspect", "import_vectors",
        "nightly_settings", "nightly_state", "nightly_report", "nightly", "demo",
        "batch_files", "batch_jobs", "finding", "examine_installation", "examine_data", "doctor",
    ),
    "service": (
        "settings", "schema", "served", "answers", "metrics", "workers", "guard", "connections", "api", "server"
    ),
    "cli": (
        "facts", "options", "terminal", "console", "tables", "app", "serve", "data", "train", "evaluate", "recommend",
        "inspect", "nightly", "doctor", "main",
    ),
    "app": (
        "guard", "escape", "i18n", "blobs", "owner", "work", "session", "axis_text", "chart", "notices", "components",
        "pages", "main", "entry", "serve",
    ),
    "__main__": (),
}  # fmt: skip
"""Packages, lowest first, and their modules, lowest first: an import goes to what comes before, never after."""
UPWARD: dict[str, tuple[str, ...]] = {
    "recsys.dataset.dataset": ("recsys.ingest.sources",),  # `Dataset.from_frame` reads as ingest does
    "recsys.space.embedding": (  # methods for notebooks
        "recsys.space.axis",
        "recsys.space.clustering",
        "recsys.space.discovery",
        "recsys.space.item_clusters",
        "recsys.space.item_map",
        "recsys.space.layout",
        "recsys.space.probes",
        "recsys.space.questions",
        "recsys.space.rotation",
        "recsys.space.walk",
        "recsys.evaluation.report",
    ),
    "recsys.space.item_map": ("recsys.space.item_clusters", "recsys.plots.picture"),  # `ItemMap.plot`
    "recsys.models.model": (  # methods for notebooks
        "recsys.recommend.queries",
        "recsys.recommend.steer",
        "recsys.evaluation.stability",
        "recsys.store.models",
    ),
    "recsys.models.learner": ("recsys.models.model",),  # `fit` returns a Model, and a Model holds its learner
    "recsys.models.start": ("recsys.models.learner", "recsys.models.model"),  # for type checking: `fit` calls it
}
"""Modules that may import what is above them, inside a function or for type checking only; values are prefixes."""
PAGES: dict[str, tuple[str, ...]] = {
    "for_you": (
        "import_ratings", "my_ratings", "user", "region", "controls", "selected", "recommendations", "map_panel"
    ),
    "movie": ("link", "facts", "similar", "position", "fans"),
    "dimensions": ("axis_facts", "axis_map", "axes", "plane", "own_axis", "genres", "compression", "dimension_count"),
    "batch": ("ownership", "progress", "result", "make", "compare"),
    "quality": ("measure", "groups", "few", "ranking", "space"),
}  # fmt: skip
"""Pages that are packages, and their modules, lowest first."""
PLACES = [name for package, modules in LAYOUT.items() for name in (*(f"{package}.{m}" for m in modules), package)]


def package_of(module: str) -> str:
    return module.split(".")[1]


def place_of(module: str) -> int:
    """Where a module stands in the layout; a package stands above its own modules, which it may re-export."""
    name = ".".join(module.split(".")[1:3])
    assert name in PLACES, f"recsys.{name} has no place in the layout: give it one here and in CONTRIBUTING.md"
    return PLACES.index(name)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            found |= {node.module or ""}
            found |= {f"{node.module}.{alias.name}" for alias in node.names if is_module(f"{node.module}.{alias.name}")}
    return found


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p) != "recsys"], ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    here = name_of(path)
    at_import = {
        node.module for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)
    }
    for module in imports(path):
        if module.startswith(UPWARD.get(here, ())) and module not in at_import:
            continue
        if not module.startswith("recsys.") or module == here:
            continue
        if package_of(module) == package_of(here) and module.count(".") == 1:
            continue  # `from recsys.space import probes` names the package on its way to the module
        if ".".join(module.split(".")[:3]) != ".".join(here.split(".")[:3]):
            assert place_of(module) < place_of(here), f"{here} imports {module}, which is not below it"


@pytest.mark.parametrize("page", PAGES)
def test_imports_inside_a_page_go_down_only(page: str) -> None:
    package = f"recsys.app.pages.{page}"
    modules = [f"{package}.{module}" for module in PAGES[page]]
    assert sorted(name_of(path) for path in MODULES if name_of(path).startswith(f"{package}.")) == sorted(modules)
    for at, module in enumerate(modules):
        above = imports(ROOT.joinpath(*module.split(".")).with_suffix(".py")) & set(modules[at:])
        assert not above, f"{module} imports {above}, which is not below it"
    for path in MODULES:
        if name_of(path).startswith("recsys.app.pages.") and not name_of(path).startswith(package):
            assert not any(module.startswith(f"{package}.") for module in imports(path)), f"{path} imports {page}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_stay_where_they_belong(path: Path) -> None:
    libraries = {module.split(".")[0] for module in imports(path)}
    package = ([*name_of(path).split("."), ""])[1]
    assert "streamlit" not in libraries or package == "app"
    assert "plotly" not in libraries or package in ("app", "plots")
    assert not libraries & {"fastapi", "uvicorn", "prometheus_client"} or package == "service"
    assert "pyspark" not in libraries or package == "engines"
    assert not {"jax", "optax"} & libraries or package == "models"
    assert not libraries & {"pickle", "joblib", "shelve", "marshal"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_everything_public_is_documented_and_typed(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree), f"{name_of(path)} does not say what it is for"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{name_of(path)}.{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert node.returns is not None, f"{name_of(path)}.{node.name} does not say what it returns"


def test_importing_does_nothing_but_define(tmp_path: Path) -> None:
    names = [name_of(path) for path in MODULES]
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", f"import {', '.join(names)}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_nothing_is_tracked_that_must_not_be() -> None:
    registries = ("pypi" + ".org", "python" + "hosted", "npm" + "js")
    places = ("/" + "work/", "/" + "root/", "/" + "tmp/w/")
    for path in tracked():
        assert path.suffix not in (".parquet", ".pkl", ".npy", ".npz", ".whl", ".zip", ".dat", ".inter"), path
        assert path.stat().st_size < 2**20, f"{path} is large for a source file"
        if path.suffix in (".png", ".ico"):
            continue
        text = path.read_text(encoding="utf-8")
        for word in (*registries, *places):
            assert word not in text, f"{path} names {word}"
