"""Who is the owner of a page, and what visitors of a public page cannot start or see."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.app import owner
from recsys.dataset.dataset import Dataset
from recsys.models import IALS

PATIENCE = 60.0
SECRET = "a token that nobody guesses"


@pytest.fixture(scope="module")
def made(ml100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that has not been measured, beside a damaged one."""
    root = tmp_path_factory.mktemp("public")
    store.save_prepared(root / "prepared" / "ml-100k", ml100k)
    model = IALS(n_factors=8, epochs=2).fit(Dataset(ml100k.interactions, ml100k.catalog, name="ml-100k"))
    store.save_model(root / "models" / "good", model.with_data_path(root / "prepared" / "ml-100k"))
    shutil.copytree(root / "models" / "good", root / "models" / "damaged")
    (root / "models" / "damaged" / "item_factors.parquet").write_bytes(b"PAR1")
    return root


@pytest.fixture
def public(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECSYS_PUBLIC", "1")
    monkeypatch.setenv("RECSYS_MODELS", str(made / "models"))
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    monkeypatch.setattr(owner, "ATTEMPTS", owner.Attempts())
    monkeypatch.setattr(owner, "_address_of_visitor", lambda: "203.0.113.1")
    return made


def draw(page: str) -> None:
    import importlib

    from recsys.app.session import choose_model

    choose_model()
    importlib.import_module(f"recsys.app.pages.{page}").page()


def opened(page: str, **query: str) -> AppTest:
    """A page of the app, in a new session."""
    app = AppTest.from_function(draw, args=(page,), default_timeout=PATIENCE)
    app.query_params.update({"model": "good", **query})
    return app.run()


def frame() -> None:
    from recsys.app.owner import draw_sign_in, is_owner

    draw_sign_in()
    import streamlit as st

    st.write("owner" if is_owner() else "visitor")


def said(app: AppTest) -> str:
    return app.markdown[-1].value


@pytest.mark.parametrize(
    ("variable", "address", "is_public"),
    [
        ("0", "0.0.0.0", False), ("1", "127.0.0.1", True), (None, "127.0.0.1", False), (None, "::1", False),
        (None, "localhost", False), (None, None, True), (None, "0.0.0.0", True), (None, "movies.example", True),
    ],
)  # fmt: skip
def test_a_page_is_public_unless_only_this_machine_reaches_it(
    variable: str | None, address: str | None, is_public: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECSYS_PUBLIC")
    if variable is not None:
        monkeypatch.setenv("RECSYS_PUBLIC", variable)
    monkeypatch.setattr(st, "get_option", lambda _: address)
    assert owner.is_public() is is_public


def test_the_person_at_this_machine_is_the_owner() -> None:
    app = AppTest.from_function(frame).run()
    assert said(app) == "owner" and not app.text_input


def test_the_token_makes_one_session_the_owner(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = AppTest.from_function(frame).run()
    assert said(app) == "visitor" and not app.text_input, "without a token there is no way in"
    monkeypatch.setenv("RECSYS_ADMIN_TOKEN", SECRET)
    app.run()
    for wrong in ("", "a", SECRET + " ", "пароль"):
        app.text_input[0].set_value(wrong)
        app.button[0].click().run()
        assert said(app) == "visitor" and app.error[0].value == "This is not the token."
    app.text_input[0].set_value(SECRET)
    app.button[0].click().run()
    assert said(app) == "owner" and not app.text_input
    assert said(AppTest.from_function(frame).run()) == "visitor", "another session"


def test_attempts_are_limited_by_address() -> None:
    attempts = owner.Attempts()
    assert [attempts.may_try("a", second) for second in range(7)] == [True] * 5 + [False] * 2
    assert attempts.may_try("b", 6) and attempts.may_try("a", 61)
    for number in range(3000):
        attempts.may_try(str(number), 0)
    assert len(attempts._times) == attempts.MAX_ADDRESSES


def test_wrong_tokens_are_limited_and_never_lock_the_right_one_out(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_ADMIN_TOKEN", SECRET)
    app = AppTest.from_function(frame).run()
    for typed in "123456":
        app.text_input[0].set_value(typed)
        app.button[0].click().run()
    assert said(app) == "visitor" and "Too many attempts" in app.error[0].value
    app.text_input[0].set_value(SECRET)
    app.button[0].click().run()
    assert said(app) == "owner"


@pytest.mark.parametrize(
    ("user", "is_owner"),
    [
        ({}, False), ({"email": "ann@example.com"}, False), ({"email": "ann@example.com", "is_logged_in": 1}, False),
        ({"is_logged_in": True, "email": "eve@example.com"}, False), ({"is_logged_in": True}, False),
        ({"is_logged_in": True, "email": ""}, False),
        ({"is_logged_in": True, "email": "Ann@Example.com"}, True),
        ({"is_logged_in": True, "email": "ann@example.com", "email_verified": False}, False),
        ({"is_logged_in": True, "email": "ann@example.com", "email_verified": True}, True),
    ],
)  # fmt: skip
def test_an_account_of_an_owner_is_enough(
    user: dict[str, object], is_owner: bool, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_OWNERS", "bob@example.com, ann@example.com,")
    monkeypatch.setattr(st, "user", user)
    assert said(AppTest.from_function(frame).run()) == ("owner" if is_owner else "visitor")


def test_streamlits_sign_in_is_offered_where_it_is_configured(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_OWNERS", "ann@example.com")
    monkeypatch.setattr(st, "user", {"is_logged_in": True, "email": "*eve*@example.com"})
    asked: list[str] = []
    monkeypatch.setattr(st, "login", lambda: asked.append("login"))
    app = AppTest.from_function(frame)
    app.secrets["auth"] = {"client_id": "x"}
    app.run()
    assert r"\*eve\*" in app.caption[0].value
    app.button[0].click().run()
    assert asked == ["login"]


def test_visitors_cannot_measure_or_generate(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [button for button in opened("quality").button if button.key == "measure-ranking"]
    assert "Only the owner of this page can measure." in [line.value for line in opened("quality").caption]
    batch = opened("batch")
    assert not [button for button in batch.button if button.key == "batch-generate"]
    assert "Only the owner of this page can generate lists." in [line.value for line in batch.info]
    monkeypatch.setenv("RECSYS_PUBLIC", "0")
    assert [button for button in opened("quality").button if button.key == "measure-ranking"]
    assert [button for button in opened("batch").button if button.key == "batch-generate"]


PAGES = ["for_you", "movie", "dimensions", "quality", "data", "batch"]
CASES = [
    *((page, model) for page in PAGES for model in ("good", "damaged")),
    *(("for_you", model) for model in ("../good", "/etc", "good/../good", "x" * 5000)),
]


@pytest.mark.parametrize(("page", "model"), CASES, ids=[f"{page}-{model[:12]}" for page, model in CASES])
def test_visitors_see_no_folder_and_no_traceback(public: Path, page: str, model: str) -> None:
    app = opened(page, model=model)
    assert not app.exception
    for kind in ("markdown", "text", "code", "caption", "error", "warning", "info", "title"):
        for element in app.get(kind):
            assert str(public) not in str(element.value) and "/models" not in str(element.value)
    if model == "damaged":
        assert [title.value for title in app.title] == ["The model damaged cannot be used"]


def test_folders_are_removed_from_messages(public: Path) -> None:
    assert owner.without_folders("/srv/my.data/models/a/manifest.json: no such file") == "manifest.json: no such file"
    assert (
        owner.without_folders("cannot read '/srv/x/y': a/b and Face/Off stay")
        == "cannot read 'y': a/b and Face/Off stay"
    )
    assert owner.shown_path("/srv/models/a") == "a"


@pytest.mark.parametrize("folder", ["my data", "it's mine", 'a "quoted" one', "my data: old", "data"])
@pytest.mark.parametrize("is_relative", [False, True])
def test_known_folders_are_removed_whatever_they_are_called(
    public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, is_relative: bool
) -> None:
    data = tmp_path / "secret place" / folder
    data.mkdir(parents=True)
    (tmp_path / "link").symlink_to(data)
    monkeypatch.chdir(tmp_path / "secret place")
    monkeypatch.setenv("RECSYS_DATA", f"../secret place/{folder}" if is_relative else str(data))
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "link"))
    written = (os.environ["RECSYS_DATA"], data.resolve(), tmp_path / "link", Path.cwd(), Path.home(), owner._PACKAGE)
    for root in written:
        assert owner.without_folders(f"{root}/raw/x.csv: line 3: broken") == "x.csv: line 3: broken"
        assert "/" not in owner.without_folders(f"cannot read {root}: no such folder")
    assert owner.without_folders(f"{Path.home()}: full") == "~: full"


def test_folders_of_relative_paths_are_removed(public: Path) -> None:
    assert owner.without_folders("../secret/a.csv: broken") == "a.csv: broken"
    assert owner.without_folders("x '../../secret/b/../a.csv' and data/../secret/a.csv") == "x 'a.csv' and a.csv"
    assert owner.without_folders("~ann/secret/a.csv, Face/Off and a/b") == "a.csv, Face/Off and a/b"
