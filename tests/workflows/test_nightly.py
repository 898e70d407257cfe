"""A night publishes a whole model or none: unchanged inputs, a fall of quality, kills, a second run, the way back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recsys import atomic, store
from recsys.errors import InputError
from recsys.workflows import nightly as workflow
from recsys.workflows.nightly import nightly, rollback
from recsys.workflows.nightly_report import Night
from recsys.workflows.nightly_settings import read_settings
from recsys.workflows.nightly_state import generations, load_state
from recsys.workflows.train import train

N_USERS, N_ITEMS = 90, 50
SETTINGS = """
data = "data"
model = "models/mine"
metrics = "metrics/recsys.prom"
keep = 2

[ratings]
files = ["ratings.csv", "new/*.csv"]
items = "items.csv"

[train]
model = "ials"
settings = { n_factors = 4, epochs = 4 }
anew_every = 0

[space]
maps = ["pca"]
axes = false
clusters = false

[evaluate]
holdout = 0.2
max_fall = 0.25

[recommend]
out = "lists.parquet"
k = 5
"""
POPULAR = SETTINGS.replace('"ials"', '"popular"').replace("{ n_factors = 4, epochs = 4 }", "{}")
"""The same list for everyone: worse for people who have a taste."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two groups of users with a taste of their own each, and the settings of a night."""
    write_ratings(tmp_path / "ratings.csv", range(N_USERS), seed=0)
    titles = "".join(f"{item},Film {item},Drama\n" for item in range(N_ITEMS))
    (tmp_path / "items.csv").write_text("item_id,title,genres\n" + titles)
    (tmp_path / "new").mkdir()
    (tmp_path / "nightly.toml").write_text(SETTINGS)
    return tmp_path


def write_ratings(path: Path, users: range, seed: int, n: int = 12) -> None:
    """A file of ratings, nearly all of the user's half of the catalogue."""
    rng = np.random.default_rng(seed)
    lines = []
    for user in users:
        weights = np.where(np.arange(N_ITEMS) % 2 == user % 2, 1.0, 0.02)
        items = rng.choice(N_ITEMS, n, replace=False, p=weights / weights.sum())
        lines += [f"{user},{item},5,{10**9 + seed}\n" for item in items]
    path.write_text("user_id,item_id,rating,timestamp\n" + "".join(lines))


def another_day(home: Path, day: int = 1) -> None:
    write_ratings(home / "new" / f"day{day}.csv", range(N_USERS - 5, N_USERS + 5 * day), seed=day)


def run(home: Path, **options: bool) -> Night:
    return nightly(home / "nightly.toml", **options)


def done_by(night: Night) -> list[str]:
    return [step.name for step in night.steps if step.is_done]


def content(path: Path) -> dict[str, str]:
    """The digest of each file."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path.parent)): store.digest_of_path(file)["sha256"] for file in files}


def leftovers(home: Path) -> list[str]:
    found = (path for path in home.rglob(".*") if path.suffix.startswith(".recsys-") or path.suffix == ".next")
    return [str(path.relative_to(home)) for path in found]


def test_the_first_night_publishes_and_the_second_one_has_nothing_to_do(home: Path) -> None:
    first = run(home)
    assert first.status == "published" and first.previous is None and not first.trained.start
    assert done_by(first) == ["data", "train", "map pca", "evaluate", "recommend"]
    assert first.added.files == ("ratings.csv",) and first.added.read == first.added.kept == N_USERS * 12
    model = store.load_model(home / "models" / "mine")
    assert model.fingerprint == first.trained.fingerprint and model.data["path"] == str(home / "data")
    assert store.list_maps(home / "models" / "mine") == ["pca"]
    assert pq.read_table(home / "lists.parquet")["user_id"].value_counts().to_pylist()[0]["counts"] == 5
    before = content(home / "models")
    second = run(home)
    assert second.status == "unchanged" and done_by(second) == ["data"] and content(home / "models") == before
    assert leftovers(home) == []
    (home / "lists.parquet").unlink()
    assert run(home).status == "published" and (home / "lists.parquet").exists()


def test_a_night_adds_what_is_new_and_starts_from_the_published_model(home: Path) -> None:
    first = run(home)
    write_ratings(home / "new" / "day1.csv", range(85, 95), seed=1)
    with (home / "new" / "day1.csv").open("a") as file:
        file.write("1,2,good,1000000001\n")
    night = run(home)
    assert night.status == "published" and night.previous == night.trained.start == first.trained.fingerprint
    assert night.trained.epochs == 3 and night.added.files == ("day1.csv",)
    assert (night.added.read, night.added.rejected, night.added.users) == (121, 1, 95)
    assert night.added.kept == night.added.ratings - first.added.ratings
    assert night.quality.drift.ratings > 80 and night.quality.drift.users == 5
    assert night.quality.succession.before.ndcg.mean == pytest.approx(first.quality.succession.after.ndcg.mean, abs=0.1)
    assert "alignment_residual" in night.space.maps["pca"], "the map is turned to match the published one"
    assert set(night.lists.origins) == {"stored"} and night.lists.users == 95 and night.lists.cold_share == 0
    [kept] = generations(home / "nightly")
    assert kept.fingerprint == first.trained.fingerprint
    report = json.loads(Path(night.report).read_text())
    assert report == night.to_json() and "nDCG@10" in Path(night.report).with_suffix(".txt").read_text()
    metrics = dict(
        line.rsplit(" ", 1)
        for line in (home / "metrics" / "recsys.prom").read_text().splitlines()
        if not line.startswith("#")
    )
    assert float(metrics['recsys_nightly_rows{kind="rejected"}']) == 1
    assert float(metrics["recsys_nightly_ndcg_fall"]) == pytest.approx(night.quality.succession.fall)
    assert float(metrics["recsys_nightly_refused"]) == 0


def test_a_model_whose_quality_falls_is_not_published(home: Path) -> None:
    run(home)
    before = content(home / "models" / "mine") | content(home / "lists.parquet")
    another_day(home)
    (home / "nightly.toml").write_text(POPULAR)
    night = run(home)
    assert night.status == "refused" and night.quality.succession.fall > 0.25
    assert "nDCG@10 fell by" in night.refusal and "evaluate.max_fall" in night.refusal
    assert content(home / "models" / "mine") | content(home / "lists.parquet") == before
    assert night.space is None and night.trained.epochs is None, "a model without vectors"
    again = run(home)
    assert again.status == "refused" and done_by(again) == ["data"], "nothing is computed twice"
    (home / "nightly.toml").write_text(POPULAR.replace("max_fall = 0.25", "max_fall = 1.0"))
    last = run(home)
    assert last.status == "published" and done_by(last) == ["data"]
    assert store.fingerprint_of(home / "models" / "mine") == night.trained.fingerprint


def test_the_previous_model_comes_back_with_its_lists(home: Path) -> None:
    (home / "nightly.toml").write_text(POPULAR.replace("keep = 2", "keep = 1"))
    states = []
    for day in range(3):
        if day:
            another_day(home, day)
        run(home)
        states.append(content(home / "models" / "mine") | content(home / "lists.parquet"))
    assert len(generations(home / "nightly")) == 1, "keep = 1"
    assert len(list((home / "nightly" / "copies").iterdir())) == 2
    done = rollback(home / "nightly.toml")
    assert content(home / "models" / "mine") | content(home / "lists.parquet") == states[1]
    assert (done.has_lists, done.left) == (True, 0) and done.published != done.withdrawn
    with pytest.raises(InputError, match="there is no previous model"):
        rollback(home / "nightly.toml")
    (home / "models" / "mine" / "manifest.json").write_text("{")
    for command in (nightly, rollback):
        with pytest.raises(InputError, match=r"damaged files.*; name another one in .*nightly\.toml, or remove it$"):
            command(home / "nightly.toml")
    shutil.rmtree(home / "models" / "mine")
    assert run(home).status == "published", "anew, with all ratings"


class Killed(BaseException):
    """What nothing catches, as a kill."""


@pytest.mark.parametrize("what", ["night", "rollback"])
def test_killed_between_any_two_steps_and_run_again(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """At every second write of the state, in turn before and after it. The attack kills at random moments."""
    (home / "nightly.toml").write_text(POPULAR)
    run(home)
    another_day(home)
    if what == "rollback":
        run(home)
    base = tmp_path_factory.mktemp("base") / "home"
    shutil.copytree(home, base)
    go: Callable[[], object] = (lambda: run(home)) if what == "night" else (lambda: rollback(home / "nightly.toml"))
    places = [home / "models" / "mine", home / "lists.parquet"]
    old = [content(place) for place in places]
    go()
    new = [content(place) for place in places]
    save, calls, number, is_before = workflow.save_state, 0, -1, False

    def save_state(work: Path, state: object) -> None:
        nonlocal calls
        calls += 1
        if calls == number and is_before:
            raise Killed
        save(work, state)
        if calls == number:
            raise Killed

    monkeypatch.setattr(workflow, "save_state", save_state)
    n_killed = 0
    while number < 50:
        shutil.rmtree(home)
        shutil.copytree(base, home)
        number, is_before, calls = number + 2, not is_before, 0
        try:
            go()
            break
        except Killed:
            n_killed += 1
        for place, before, after in zip(places, old, new, strict=True):
            assert content(place) in (before, after), f"{place} after a kill at {number}"
        calls = 100
        if what == "night" or load_state(home / "nightly").rolling_back is not None or content(places[0]) == old[0]:
            go()  # a rollback that came to its end would go back by one more model
        assert [content(place) for place in places] == new, f"after a kill at {number}"
        assert leftovers(home) == []
    assert n_killed >= (4 if what == "night" else 2)


def test_a_second_run_is_refused_and_an_error_leaves_everything(home: Path) -> None:
    (home / "nightly.toml").write_text(POPULAR)
    run(home)
    before = content(home / "models") | content(home / "data")
    with atomic.lock(home / "nightly"):
        # A lock may be taken again by its own thread: another process is what must be refused.
        monkey = atomic._held.paths.copy()
        atomic._held.paths.clear()
        try:
            with pytest.raises(InputError, match="another nightly run with these settings is under way"):
                run(home)
        finally:
            atomic._held.paths.update(monkey)
    (home / "new" / "bad.csv").write_text("this is no table of ratings\n1\n2\n")
    with pytest.raises(InputError, match=r"bad\.csv"):
        run(home)
    assert content(home / "models") | content(home / "data") == before
    (home / "new" / "bad.csv").unlink()
    assert run(home).status == "unchanged"


def test_data_and_model_that_were_made_by_hand_are_carried_on(home: Path) -> None:
    from recsys.workflows.prepare import prepare

    prepare(str(home / "ratings.csv"), home / "data", items=home / "items.csv")
    train(home / "data", home / "models" / "mine", settings={"n_factors": 4, "epochs": 4})
    another_day(home)
    night = run(home)
    assert night.added.files == ("day1.csv",), "ratings.csv is in the data already"
    assert night.trained.start == night.previous and night.quality.succession.before is not None
    shutil.rmtree(home / "data")  # to leave a file out, the data are made anew
    (home / "new" / "day1.csv").rename(home / "day1.csv")
    assert run(home).added.ratings == N_USERS * 12


def test_when_the_model_is_trained_anew(home: Path) -> None:
    text = SETTINGS.replace("anew_every = 0", "anew_every = 2").replace('"pca"', "").partition("[recommend]")[0]
    (home / "nightly.toml").write_text(text)
    starts = []
    for day in range(3):
        if day:
            another_day(home, day)
        starts.append(run(home).trained.start is not None)
    assert starts == [False, True, False]
    asked = run(home, anew=True)
    assert asked.status == "published" and asked.trained.start is None and asked.trained.why == "anew, as asked"
    (home / "nightly.toml").write_text(text.replace("n_factors = 4", "n_factors = 5"))
    assert "other settings" in run(home).trained.why


def test_all_files_are_read_again_where_they_are_whole_dumps(home: Path) -> None:
    (home / "nightly.toml").write_text(POPULAR.replace("[ratings]", '[ratings]\nmode = "prepare"'))
    run(home)
    assert run(home).status == "unchanged"
    write_ratings(home / "ratings.csv", range(N_USERS + 3), seed=0)
    night = run(home)
    assert night.added.users == N_USERS + 3 and night.added.read == 3 * 12 and night.added.duplicates == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("keep = 2", "keep = 0", "line 5: keep: must be greater than or equal to 1"),
        ("keep = 2", 'keep = "2"', "line 5: keep: must be a valid integer"),
        ("keep = 2", "kept = 2", "line 5: kept: is not a setting of recsys nightly"),
        ('maps = ["pca"]', 'maps = ["../x"]', "line 17: space.maps.0: must be 'tsne', 'pca', 'umap' or 'pacmap'"),
        ("n_factors = 4", "n_factors = 0", "line 13: train.settings: n_factors must be between 1 and 4096, not 0"),
        ("n_factors = 4", "factors = 4", "line 13: train.settings: ials has no setting 'factors'"),
        ("n_factors = 4", "n_factors = [4]", "line 13: train.settings: n_factors must be a whole number, not [4]"),
        ('"ials"', '"../ials"', "line 12: train.model: unknown model '../ials'"),
        ('data = "data"', 'data = "models"', "line 3: model: is in the place of data; name another one"),
        ('data = "data"', 'data = "."', "line 2: data: contains the settings themselves; name another folder"),
        ('data = "data"', "", "data: is missing"),
        ('data = "data"', 'data = "a\\u0000b"', "line 2: data: contains a zero byte"),
        ("holdout = 0.2", "holdout = nan", "line 22: evaluate.holdout: must be"),
        ("max_fall = 0.25", "max_fall = -0.1", "line 23: evaluate.max_fall: must be greater than or equal to 0"),
        ("[ratings]", "[ratings]\nscale = [5, 1]", "line 7: ratings: scale must be two numbers"),
        ("lists.parquet", "lists.xlsx", "line 26: recommend.out: "),
        ("[ratings]", "[ratings", "is not valid TOML: "),
    ],
)
def test_wrong_settings_are_one_line_that_names_the_file_and_the_key(
    home: Path, old: str, new: str, message: str
) -> None:
    assert old in SETTINGS
    (home / "nightly.toml").write_text(SETTINGS.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_settings(home / "nightly.toml")
    text = str(error.value)
    assert text.startswith(f"{home / 'nightly.toml'}: {message}") and "\n" not in text
    assert sorted(path.name for path in home.iterdir()) == ["items.csv", "new", "nightly.toml", "ratings.csv"]


def test_a_damaged_state_is_one_line(home: Path) -> None:
    (home / "nightly.toml").write_text(POPULAR)
    run(home)
    state = home / "nightly" / "state.json"
    state.write_text(state.read_text().replace('"since_anew": 0', '"since_anew": -1'))
    with pytest.raises(InputError, match=r"state\.json: cannot be read \(since_anew: Input should be"):
        run(home)
    state.unlink()
    assert run(home).status == "published" and load_state(home / "nightly").files
