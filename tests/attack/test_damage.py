"""Damaged prepared data and models: every reading command and page answers, or says in one line what is wrong.

Each damage is tried as it is, and once more with the digests of the damaged files recorded in the marker, as a hostile
writer would, so that the checks behind the digests are reached. A damage of a file that the marker vouches for is
found, or it changes nothing in the answer.
"""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.attack.conftest import EVERYTHING, Attempts, sample
from tests.attack.mutations import MARKERS, Mutation, mutations_of, repeated_rows, reseal
from tests.attack.process import Ran
from tests.attack.scene import DECIMAL, World
from tests.attack.world import ALL, PREPARE, REPORT, train

HEADROOM = 2 << 30
"""How much a command may use beyond what the warm process has mapped, in bytes."""
PER_FILE = 30 if EVERYTHING else 3
"""Damages of each file, half of them of bytes and kinds of files."""

OUT = ("--out", "out.parquet")
Command = tuple[object, ...]


def on_data(model: str = "ials") -> list[Command]:
    """Commands that read prepared data."""
    to_user = ("recommend", "--model", model, "--data", "data", "--json")
    return [
        (*to_user, "--user", "u1"),
        ("train", "--data", "data", "--out", "new", "--model", "popular", "--json"),
        (*to_user, *OUT),
        ("evaluate", "--data", "data", "--model", "popular", "--json"),
        ("train", "--data", "data", "--out", "new", "--model", "ials", "--factors", 4, "--json"),
        ("import-vectors", "vectors.csv", "--items", "items.csv", "--data", "data", "--out", "new", "--json"),
        ("axes", "--model", model, "--data", "data", "--refits", 1, "--json"),
        PREPARE,
        ("tune", "--model", "itemknn", "--data", "data", "--out", "best.json", "--trials", 1, "--json"),
    ]


def on_model(model: str, file: str) -> list[Command]:
    """Commands that read this file of a model."""
    rated = ("recommend", "--model", model, "--json", "--rate", "Film 3=5", "--rate", "Film 7=1")
    to_user = ("recommend", "--model", model, "--data", "data", "--json")
    page = ("map", "--model", model, "--method", "pca", "--out", "out.html", "--json")
    if file == "axes.json":
        return [
            (*to_user, "--user", "u1", "--why"),
            (*rated, "--steer", "recent=+1"),
            ("map", "--model", model, "--x", "adult", "--y", "blockbuster", "--json"),
            REPORT,
        ]
    if file in ("clusters.parquet", "map-pca.parquet", "map-tsne.parquet"):
        like = ("map", "--model", model, "--method", "pca", "--like", model, "--json")
        return [page, REPORT] if file == "clusters.parquet" else [like, REPORT]
    if file in ("ranking.json", "report.json", "report.html"):
        return [(*rated,)]
    return [
        (*to_user, "--user", "u1"),
        ("similar", "Film 3", "--model", model, "--json"),
        (*rated, "--why"),
        (*to_user, *OUT),
        ("map", "--model", model, "--method", "pca", "--json"),
        ("evaluate", "--trained", model, "--data", "data", "--model", "popular", "--json"),
        ("similar", "Film 3", "--model", model, "--metric", "all", "--json"),
        ("analogy", "Film 1", "Film 2", "Film 3", "--model", model, "--json"),
        ("axes", "--model", model, "--json", *(() if model == "imported" else ("--data", "data", "--refits", 1))),
        ("clusters", "--model", model, "--method", "kmeans", "--json"),
        train(model) if model in ALL else ("similar", "Film 3", "--model", model),
        REPORT,
    ]


def answer_fault(ran: Ran, folder: Path) -> str:
    """What is wrong with an answer, empty if it is right: one line, or JSON and tables of finite numbers."""
    if ran.fault or ran.status != 0:
        return ran.fault
    if "--json" in ran.argv:
        try:
            json.loads(ran.out, parse_constant=_refuse)
        except ValueError as error:
            return f"its JSON: {error}"
    if "out.parquet" in ran.argv:
        lists = pq.read_table(folder / "out.parquet")
        if not len(lists) or pc.any(pc.invert(pc.is_finite(lists["score"]))).as_py():
            return f"{len(lists)} rows, scores that are not finite"
    return ""


def _refuse(constant: str) -> float:
    raise ValueError(f"contains {constant}")


class Lab:
    """Folders to damage, the answers of undamaged ones, and the limit of memory."""

    def __init__(self, world: World) -> None:
        self.world, self.server = world, world.server
        self.folder = world.root / "damaged"
        self.memory = world.mapped + HEADROOM
        self._answers: dict[Command, str] = {}

    def fresh(self, *models: str) -> Path:
        """A new folder with data and models."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.world.copy(("data", "vectors.csv", "items.csv", "ratings.csv", *models), self.folder)
        return self.folder

    def run(self, command: Command) -> Ran:
        """Run a command in the folder."""
        return self.server.run(self.folder, *command, memory=self.memory)

    def undamaged(self, command: Command, *models: str) -> str:
        """What a command prints for undamaged folders."""
        if command not in self._answers:
            self.fresh(*models)
            self._answers[command] = self.run(command).out
        return self._answers[command]


@pytest.fixture(scope="module")
def lab(world: World) -> Lab:
    return Lab(world)


def chosen(folder: Path, file: str, twin: Path | None) -> list[Mutation]:
    """The damages of a file that are tried."""
    found = list(mutations_of(folder, file, twin))
    simple = random.Random(1).sample(found[:33], PER_FILE // 2) if EVERYTHING else []
    rest = found[33:] if EVERYTHING else found
    return simple + random.Random(len(found)).sample(rest, min(len(rest), PER_FILE - len(simple)))


def attack(
    lab: Lab,
    attempts: Attempts,
    place: str,
    mutations: list[Mutation],
    commands: Callable[[str], list[Command]],
    models: tuple[str, ...],
) -> None:
    """Try each damage of a folder on one of the commands, in turn, and behind recorded digests on two."""
    marker = "report.json" if place == "data" else "manifest.json"
    vouched = vouched_for(lab.world.folder / place / marker) | {marker}
    for number, mutation in enumerate(mutations):
        available = commands(mutation.file)
        turn = [available[(number + i) % len(available)] for i in range(3)]
        for is_sealed, command in zip((False, True, True), turn, strict=True):
            if not EVERYTHING and command is turn[2]:
                break
            before = lab.undamaged(command, *models)
            folder = lab.fresh(*models)
            mutation.apply(folder / place / mutation.file)
            is_sealed = is_sealed and mutation.file != marker  # a damaged marker is as its writer wanted it
            if is_sealed and (mutation.file not in vouched or not reseal(folder / place)):
                break
            ran = lab.run(command)
            fault = answer_fault(ran, folder)
            is_read = command[0] not in ("prepare", "train") or place not in command
            is_vouched = mutation.file in vouched - {marker} and not is_sealed
            if not fault and is_vouched and is_read and ran.status == 0 and not same(ran.out, before):
                fault = "exit 0 and another answer"
            seal = ", digests recorded" if is_sealed else ""
            attempts.record(f"{place}/{mutation}{seal}: {' '.join(map(str, command))}", fault)


def vouched_for(marker: Path) -> set[str]:
    """The files whose digests the marker holds."""
    try:
        return set(json.loads(marker.read_bytes())["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def same(answer: str, other: str) -> bool:
    """Whether two answers are the same but for the times and measures that depend on how threads round."""

    def plain(text: str) -> str:
        return DECIMAL.sub("", text) if '"seconds' in text or "decade AUC" in text else text

    return plain(answer) == plain(other)


def twin_of(world: World, folder: str) -> Path:
    """A folder like this one, made from other ratings or another seed."""
    twin = world.root / "twins" / folder
    if not twin.exists():
        scene = world.root / "twins" / f"scene-{folder}"
        world.copy(("ratings2.csv", "items.csv", "vectors2.csv", "data", "users.txt"), scene)
        if folder == "data":
            command: Command = ("prepare", "ratings2.csv", *PREPARE[2:])
        elif folder == "imported":
            command = ("import-vectors", "vectors2.csv", "--items", "items.csv", "--data", "data", "--out", folder)
        else:
            command = train(folder, "--weighting", "binary")
        assert world.server.run(scene, *command).status == 0
        (scene / folder).rename(twin)
    return twin


@pytest.mark.parametrize("file", ["interactions.parquet", "items.parquet", "users.parquet", "report.json"])
def test_damaged_data(world: World, lab: Lab, attempts: Attempts, file: str) -> None:
    twin = twin_of(world, "data") / file
    found = chosen(world.folder / "data", file, twin)
    attack(lab, attempts, "data", found, lambda _: on_data(), ("ials",))
    attempts.check("damaged prepared data")


def model_files() -> list[tuple[str, str]]:
    """Models and their files, of a kind of model that differ from others only."""
    learned = {
        "ease": ["item_weights.parquet"],
        "itemknn": ["item_weights.parquet"],
        "popular": ["item_scores.parquet"],
    }
    vectors = ["item_factors.parquet", "user_factors.parquet"]
    stored = ["axes.json", "clusters.parquet", "map-pca.parquet", "ranking.json", "report.json"]
    files = [("ials", file) for file in ("manifest.json", "items.parquet", *vectors, *stored)]
    arrays = {model: ["encoder.safetensors", *vectors] for model in ("vae", "blend", "blend-vae")}
    for model, names in {**learned, **arrays, "imported": vectors[:1], "bpr": vectors, "als": vectors}.items():
        files += [(model, file) for file in ("manifest.json", "items.parquet", *names)]
    return files


QUICK_FILES = [
    ("ials", "manifest.json"),
    ("ials", "item_factors.parquet"),
    ("ials", "axes.json"),
    ("popular", "item_scores.parquet"),
]


@pytest.mark.parametrize(("model", "file"), model_files() if EVERYTHING else QUICK_FILES)
def test_damaged_model(world: World, lab: Lab, attempts: Attempts, model: str, file: str) -> None:
    twin = twin_of(world, model) / file
    found = chosen(world.folder / model, file, twin)
    attack(lab, attempts, model, found, lambda name: on_model(model, name), (model,))
    attempts.check("damaged models")


PAGES = ("for_you", "movie", "dimensions", "quality", "data", "batch")


@pytest.mark.parametrize(
    ("model", "file"), [("data", "report.json"), *model_files()] if EVERYTHING else [("ials", "manifest.json")]
)
def test_pages_of_damaged_folders(world: World, lab: Lab, attempts: Attempts, model: str, file: str) -> None:
    lab.server.ask({"do": "import", "modules": ["streamlit.testing.v1", "recsys.app.main"]})
    shown = "ials" if model == "data" else model
    found = sample(chosen(world.folder / model, file, None), 1, seed=3)
    for number, mutation in enumerate(found[:: 3 if EVERYTHING else 1]):
        is_measurement = model != "data" and file in ("ranking.json", "report.json")
        page = "quality" if is_measurement else PAGES[number % len(PAGES)]
        folder = lab.fresh(shown)
        mutation.apply(folder / model / mutation.file)
        if mutation.file not in MARKERS:
            reseal(folder / model)
        ran = lab.server.run(folder, "page", page, memory=lab.memory, RECSYS_MODELS=str(folder))
        fault = "" if ran.status == 0 else ran.err[-600:] or f"status {ran.status}"
        attempts.record(f"{model}/{mutation}: page {page}", fault)
    attempts.check("pages of damaged folders")


@pytest.mark.skipif(not EVERYTHING, reason="takes a minute: make attack")
@pytest.mark.parametrize(
    "place", ["data/interactions.parquet", "data/items.parquet", "ials/item_factors.parquet", "ials/clusters.parquet"]
)
def test_bombs(world: World, lab: Lab, attempts: Attempts, place: str) -> None:
    folder_name, file = place.split("/")
    for command in (on_data() if folder_name == "data" else on_model("ials", file))[:4]:
        folder = lab.fresh("ials")
        repeated_rows(folder / place, 100_000_000)
        reseal(folder / folder_name)
        ran = lab.run(command)
        attempts.record(f"{place} of 100 million equal rows: {' '.join(map(str, command))}", answer_fault(ran, folder))
    attempts.check("bombs of equal rows")


def test_the_oracle_sees_what_is_wrong(tmp_path: Path) -> None:
    """The control: answers that would be faults are seen as faults."""
    lists = ("recommend", "--json", "--out", "out.parquet")
    assert answer_fault(Ran(lists, 1, "", "Traceback (most recent call last)\nX: y", 0), tmp_path)
    assert answer_fault(Ran(lists, 2, "", "recsys: one\nrecsys: two\n", 0), tmp_path)
    assert answer_fault(Ran(lists, None, "", "", 0), tmp_path)
    assert answer_fault(
        Ran(("similar", "--json"), 0, f'{{"score": {math.nan}}}'.replace("nan", "NaN"), "", 0), tmp_path
    )
    assert not answer_fault(Ran(lists, 2, "", "recsys: one\n", 0), tmp_path)
