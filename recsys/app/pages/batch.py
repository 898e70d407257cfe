"""The page "Batch": lists for many people at once, to take away as a file; and two models' lists side by side."""

from __future__ import annotations

import re
import shlex
from collections.abc import Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from recsys import store
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.session import Loaded, load_model, loaded_model, models_root
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, RecsysError
from recsys.ingest.datasets import data_root
from recsys.plots.colours import COLOURS
from recsys.recommend.compare import Comparison, compare_lists, compare_models, popularity_of, sample_users
from recsys.recommend.topn import COLD, FOLDED_IN, batch_of_users, recommend
from recsys.workflows.batch_jobs import (
    CSV,
    DESK,
    LISTS,
    MOST_AT_ONCE,
    MOST_ROWS,
    Job,
    Reader,
    Request,
    TooManyRows,
    find_batch,
    first_rows,
    new_batch,
    request_of,
    result_of,
    rows_of_user,
    set_aside,
)

URL = "batch"
MADE = "made"
"""The batch that is shown, in the session and in the address."""
BEGUN = "begun"
"""Names of the batches that this session began: it alone may stop or remove them; who has the link reads."""
LONGEST = 1000
"""Movies in a list at most: nobody reads further."""
PREVIEW_ROWS = 100
MOST_LETTERS = 60
"""Of an id that is not found, in a message."""
MOST_OFFERED = 5000
"""Users offered while typing."""
K = 10
MOST_SAMPLED = 500
MOST_MEGABYTES = 20
"""Of an uploaded list: some two million ids."""
LOOK_AGAIN_SECONDS = 0.5

MAKE, COMPARE = "Make lists", "Compare two models"
EVERYONE, TYPED, UPLOADED = "Everyone", "Some, typed in", "Some, from a file"


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    st.header(say("Batch"), anchor=False)
    part = st.segmented_control(
        say("What to do"),
        (MAKE, COMPARE),
        default=MAKE,
        required=True,
        format_func=say,
        key="batch-part",
        bind="query-params",
        label_visibility="collapsed",
    )
    if loaded.interactions is None:
        _explain_missing_data(loaded)
    elif part == MAKE:
        _make(loaded, loaded.interactions)
    else:
        _compare(loaded, loaded.interactions)


def _explain_missing_data(loaded: Loaded) -> None:
    folder = loaded.data_folder
    st.info(
        say(
            "The data this model was trained on is not where it was: {folder}.",
            folder=plain(str(folder or loaded.data_name)),
        )
    )
    st.write(say("To have it again, run this in a terminal, then reload the page:"))
    out = folder or Path("data/prepared") / loaded.data_name
    _command("recsys", "prepare", loaded.data_name, "--out", str(out))


def _command(*words: str) -> None:
    st.code(shlex.join(words), language="sh", wrap_lines=True)


# --- make lists -------------------------------------------------------------------------------------------------


@st.cache_resource(show_spinner=False, scope="session", on_release=Reader.leave)
def _reader() -> Reader:
    """Lets the batch go when the session ends."""
    return Reader()


def _make(loaded: Loaded, interactions: Interactions) -> None:
    st.caption(say("Recommendations for many people at once, to take away as a file."))
    root = data_root() / "batches"
    folder = _current(root)
    _ask(loaded, interactions, root, folder)
    if folder is None:
        _reader().folder = None
        return
    if _is_own(folder):
        _reader().folder = folder
    st.query_params[MADE] = folder.name
    if DESK.is_active(folder):
        st.fragment(_watch, run_every=LOOK_AGAIN_SECONDS)(folder)
    else:
        _outcome(folder)


def _is_own(folder: Path) -> bool:
    """Whether this session began that batch."""
    return folder.name in st.session_state.get(BEGUN, [])


def _current(root: Path) -> Path | None:
    """The batch of this session, or the one that the address names, so that a reload finds it again."""
    name = st.session_state.get(MADE) or st.query_params.get(MADE)
    if not name:
        return None
    folder = find_batch(root, name)
    if folder is None:
        _let_go()
        st.info(say("The batch of this address is gone: batches are kept for a day."))
        return None
    st.session_state[MADE] = name
    return folder


def _let_go() -> None:
    st.session_state.pop(MADE, None)
    st.query_params.pop(MADE, None)


def _ask(loaded: Loaded, interactions: Interactions, root: Path, folder: Path | None) -> None:
    """Ask for whom and how many, and begin; one batch at a time in a session."""
    is_active = folder is not None and DESK.is_active(folder)
    longest = min(LONGEST, len(loaded.model.item_ids))
    with st.container(border=True):
        choices = st.container(horizontal=True, vertical_alignment="bottom", gap="large")
        who = choices.segmented_control(
            say("For whom?"),
            (EVERYONE, TYPED, UPLOADED),
            default=EVERYONE,
            required=True,
            format_func=say,
            key="batch-who",
            persist_state="session",
        )
        k = choices.number_input(
            say("Movies for each"),
            min_value=1,
            max_value=longest,
            value=min(K, longest),
            key="batch-k",
            help=say("From 1 to {most}.", most=longest),
            width=160,
            persist_state="session",
        )
        listed = _ask_list(interactions, str(who))
        exclude_seen = st.checkbox(
            say("Leave out what they have rated"), value=True, key="batch-unseen", persist_state="session"
        )
        n_rows = interactions.n_users * int(k)
        is_too_much = who == EVERYONE and n_rows > MOST_ROWS
        with st.container(horizontal=True, vertical_alignment="center"):
            clicked = st.button(
                say("Generate"),
                type="primary",
                icon=":material/playlist_play:",
                disabled=is_active or is_too_much,
                key="batch-generate",
            )
            if who == EVERYONE and not is_too_much:
                st.caption(say("People: {users:,}; rows: up to {rows:,}", users=interactions.n_users, rows=n_rows))
        if is_too_much:
            st.warning(
                say(
                    "{rows:,} rows are more than the {most:,} that are made here. Choose fewer movies, or run this in "
                    "a terminal:",
                    rows=n_rows,
                    most=MOST_ROWS,
                )
            )
            _in_a_terminal(loaded, int(k), exclude_seen)
        if clicked and not is_active:
            assert loaded.data_folder is not None
            if who != EVERYONE and listed is None:
                st.error(say("Nobody is named yet. Type one user id or more, or choose a file."))
                return
            request = Request(loaded.folder.resolve(), loaded.data_folder.resolve(), int(k), exclude_seen)
            try:
                begun = new_batch(root, request, interactions.n_users, listed)
            except RecsysError as error:
                st.error(say("That cannot be made: {why}", why=plain(str(error))))
                if isinstance(error, TooManyRows):
                    _in_a_terminal(loaded, int(k), exclude_seen, None if listed is None else listed[0])
                return
            DESK.start(begun)
            st.session_state[MADE] = begun.name
            own = [root / name for name in st.session_state.get(BEGUN, [])]
            st.session_state[BEGUN] = [kept.name for kept in DESK.keep([*own, begun])]
            st.rerun()


def _in_a_terminal(loaded: Loaded, k: int, exclude_seen: bool, users: str | None = None) -> None:
    """The command that makes what was asked for; `users` is the file that lists for whom."""
    words = ["recsys", "recommend", "--model", str(loaded.folder), "--data", str(loaded.data_folder), "-k", str(k)]
    words += [] if exclude_seen else ["--include-seen"]
    words += [] if users is None else ["--users", users]
    _command(*words, "--out", "lists.parquet")


def _ask_list(interactions: Interactions, who: str) -> tuple[str, bytes] | None:
    """Name and content of a list of users; None where there is none."""
    example = ", ".join(map(str, interactions.user_ids[:3].tolist()))
    if who == TYPED:
        typed = st.text_area(
            say("User ids, with commas or one a line"),
            placeholder=example,
            key="batch-typed",
            height=100,
            persist_state="session",
        )
        # Ids that are numbers hold no blanks, so blanks may stand between them.
        ids = re.split(r"[\s,;]+" if interactions.user_ids.dtype == np.int64 else r"[\n,;\t]+", typed.strip())
        lines = [line.strip() for line in ids if line.strip()]
        return ("list.txt", "\n".join(lines).encode()) if lines else None
    if who == UPLOADED:
        file = st.file_uploader(
            say("A text or CSV file of user ids, one a line, or a Parquet table"),
            key="batch-file",
            max_upload_size=MOST_MEGABYTES,
            help=say(
                "A column called user_id is used if there is one, else the first. Ids look like {example}.",
                example=example,
            ),
        )
        return None if file is None else (file.name, file.getvalue())
    return None


def _watch(folder: Path) -> None:
    """How far a batch is, looked at again and again; drawn once more with the whole page when it is over."""
    job = DESK.find(folder)
    if job is None or not job.is_active:
        st.rerun()
    if job.is_left:  # whoever looks takes over from a reader who has gone, such as their own before a reload
        _reader().folder = folder
    job.stay()
    with st.container(border=True, key="batch-progress"):
        if job.state == "waiting":
            st.progress(0.0, text=_waiting_words(job))
        elif job.total == 0:
            st.progress(0.0, text=say("Reading the model and the data …"))
        else:
            words = say("{done:,} of {total:,} people", done=job.done, total=job.total)
            left = job.seconds_left
            if left is not None:
                words += " · " + say("{time} left", time=_span(left))
            st.progress(job.done / job.total, text=words)
        if _is_own(folder):
            st.button(
                say("Cancel"), icon=":material/stop_circle:", on_click=DESK.cancel, args=(job,), key="batch-cancel"
            )  # fmt: skip


def _waiting_words(job: Job) -> str:
    words = say("{n} others are running; yours waits.", n=MOST_AT_ONCE)
    before = DESK.n_before(job)
    return words + " " + say("{n} more before it.", n=before) if before else words


def _span(seconds: float) -> str:
    if seconds < 90:
        return say("{n} s", n=max(1, round(seconds)))
    if seconds < 5400:
        return say("{n} min", n=round(seconds / 60))
    return say("{n:.1f} h", n=seconds / 3600)


def _outcome(folder: Path) -> None:
    """What came of a batch that is not being made."""
    job = DESK.find(folder)
    try:
        request, result = request_of(folder), result_of(folder)
    except InputError as error:
        st.error(plain(str(error)))
        return
    if result is not None:
        _finished(folder, request, result)
    elif job is not None and job.state == "failed":
        if job.error:
            st.error(say("That cannot be made: {why}", why=plain(job.error)))
        else:
            st.error(say("Something in the app is broken; the server's log says what."))
        if job.done:
            _go_on(folder)
        else:
            _discard(folder, say("Discard"))
    else:
        if job is not None and job.total:
            words = say("Stopped after {done:,} of {total:,} people.", done=job.done, total=job.total)
        else:
            words = say("Stopped before it was finished.")
        kept = (
            say("What was finished is kept; go on from there, or discard it.")
            if _is_own(folder)
            else say("Only the session that began it can go on.")
        )
        st.warning(words + " " + kept)
        _go_on(folder)


def _go_on(folder: Path) -> None:
    if not _is_own(folder):
        return
    with st.container(horizontal=True):
        st.button(
            say("Go on"),
            type="primary",
            icon=":material/resume:",
            on_click=_resume,
            args=(folder,),
            key="batch-resume",
        )
        _discard(folder, say("Discard"))


def _resume(folder: Path) -> None:
    DESK.start(folder)


def _discard(folder: Path, label: str) -> None:
    if not _is_own(folder):
        return

    def discard() -> None:
        DESK.forget(folder)
        _let_go()

    st.button(label, type="tertiary", icon=":material/delete:", on_click=discard, key="batch-discard")


def _finished(folder: Path, request: Request, result: dict[str, Any]) -> None:
    st.subheader(say("The lists"), anchor=False)
    seen = say("without what they have rated") if request.exclude_seen else say("with what they have rated")
    about = say("Movies for each: {k}, {seen}, by {model}", k=request.k, seen=seen, model=plain(request.model.name))
    st.caption(about)
    origin = result["origin"]
    with st.container(horizontal=True, gap="large"):
        st.metric(say("People"), f"{result['users']:,}", width="content")
        st.metric(say("Rows"), f"{result['rows']:,}", width="content")
        if FOLDED_IN in origin:
            st.metric(
                say("New to the model"),
                f"{origin[FOLDED_IN]:,}",
                help=say("Training never saw them; their place was computed from their ratings."),
                width="content",
            )
        if COLD in origin:
            st.metric(
                say("Nothing known"),
                f"{origin[COLD]:,}",
                help=say("They have no ratings that count, so they get the most watched movies."),
                width="content",
            )
    _left_out(folder)
    name = f"{request.model.name}-top-{request.k}"
    with st.container(horizontal=True, vertical_alignment="center"):
        for file, kind, mime in ((LISTS, "Parquet", "application/vnd.apache.parquet"), (CSV, "CSV", "text/csv")):
            path = folder / file
            if path.is_file():
                st.download_button(
                    f"{kind} · {_size(path.stat().st_size)}",
                    partial(path.open, "rb"),
                    file_name=f"{name}{path.suffix}",
                    mime=mime,
                    icon=":material/download:",
                    on_click="ignore",
                    key=f"batch-download-{kind.lower()}",
                )
        _discard(folder, say("Delete"))
    if result.get("has_formulas"):
        st.caption(say("Some ids begin with =, +, - or @: a spreadsheet may run such cells of the CSV as formulas."))
    st.caption(
        say("Columns: user_id, rank (1 is best), item_id, score. Kept for a day, for whoever has this page's address.")
    )
    st.fragment(_preview)(folder, request, result["rows"])


def _left_out(folder: Path) -> None:
    """Who was listed but could not be used, and why."""
    lines = set_aside(folder)
    if lines is None:
        return
    st.warning(say("Lines of your list that could not be used: {n:,}. Everyone else has a list.", n=len(lines)))
    with st.expander(say("Which, and why")):
        st.dataframe(
            pd.DataFrame(
                {
                    say("line"): lines["line"],
                    say("what it says"): lines["text"],
                    say("why not"): [named(reason) for reason in lines["reason"]],
                }
            ),
            hide_index=True,
            alt=say("Which, and why"),
        )


def _preview(folder: Path, request: Request, n_rows: int) -> None:
    """The first rows, or those of one user, with titles."""
    user = st.text_input(
        say("Look up one person"),
        placeholder=say("A user id"),
        icon=":material/search:",
        key="batch-lookup",
    )
    try:
        rows = rows_of_user(folder, user) if user.strip() else first_rows(folder, PREVIEW_ROWS)
    except InputError as error:
        st.error(plain(str(error)))
        return
    except RecsysError:
        st.warning(say("{user} is not in this batch.", user=plain(user[:MOST_LETTERS])))
        return
    ids = rows["item_id"].to_numpy()
    try:
        catalog = load_model(request.model).model.catalog
    except (RecsysError, OSError):
        st.caption(say("The model is gone, so there are ids in place of titles."))
        catalog = Catalog.of(pd.unique(ids))
    items = catalog.take(pd.unique(ids)).items.set_index("item_id").loc[ids]
    table = pd.DataFrame(
        {
            say("user"): rows["user_id"].astype(str),
            "#": rows["rank"],
            say("title"): items["title"].to_numpy(),
            say("year"): items["year"].array,
            say("genres"): [", ".join(map(named, genres)) for genres in items["genres"]],
            say("score"): rows["score"],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            say("user"): st.column_config.TextColumn(width="small"),
            "#": st.column_config.NumberColumn(width=40),
            say("title"): st.column_config.TextColumn(width="large"),
            say("year"): st.column_config.NumberColumn(format="%d", width="small"),
            say("score"): st.column_config.NumberColumn(format="%.3f", width="small"),
        },
        alt=say("The lists"),
    )
    if not user.strip() and len(table) < n_rows:
        st.caption(say("The first {n:,} of {all:,} rows.", n=len(table), all=n_rows))


def _size(n_bytes: int) -> str:
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" or n_bytes >= 10 else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000  # type: ignore[assignment]
    return f"{n_bytes:.1f} GB"


# --- compare ----------------------------------------------------------------------------------------------------


def _compare(loaded: Loaded, interactions: Interactions) -> None:
    st.caption(say("What two models of the same data recommend to the same person."))
    names = _models_of(loaded.data_name)
    if len(names) < 2:
        st.info(
            say(
                "Only one model of the data {data} is here. Train another to compare them:",
                data=plain(loaded.data_name),
            )
        )
        kind = "ease" if loaded.model.learner.name != "ease" else "ials"
        out = models_root() / f"{loaded.data_name}-{kind}"
        _command("recsys", "train", "--data", str(loaded.data_folder), "--model", kind, "--out", str(out))
        return
    left, right = st.columns(2, gap="medium")
    others = [name for name in names if name != loaded.name]
    a = left.selectbox(say("Model A"), names, index=names.index(loaded.name), key="compare-a", bind="query-params")
    b = right.selectbox(say("Model B"), names, index=names.index(others[0]), key="compare-b", bind="query-params")
    if a == b:
        st.info(say("Choose two different models."))
        return
    try:
        pair = load_model(models_root() / str(a)), load_model(models_root() / str(b))
    except (RecsysError, OSError) as error:
        st.error(plain(str(error)))
        return
    st.fragment(_one_person)(pair, interactions)
    _many_people(pair, interactions)


def _models_of(data_name: str) -> list[str]:
    """Names of the models of these data."""
    names = []
    for name in store.list_models(models_root()):
        try:
            manifest = store.read_manifest(models_root() / name)
        except InputError:  # whoever chooses it in the frame is told what is wrong with it
            continue
        if manifest["data"].get("name", name) == data_name:
            names.append(name)
    return names


def _one_person(pair: tuple[Loaded, Loaded], interactions: Interactions) -> None:
    user = st.selectbox(
        say("Person"),
        interactions.user_ids[:MOST_OFFERED].tolist(),
        key="compare-user",
        bind="query-params",
        accept_new_options=True,
        help=say("Choose an id, or type one of the {n:,}.", n=interactions.n_users),
        width=220,
    )
    try:
        lists = [
            recommend(one.model, batch_of_users(one.model, interactions, [user]), K)["item_id"].tolist() for one in pair
        ]
    except RecsysError as error:
        st.error(plain(str(error)))
        return
    found = compare_lists(lists[0], lists[1], _popularity(interactions))
    _measures(found, max(map(len, lists)))
    for column, one, here, there in zip(
        st.columns(2, gap="medium"), pair, ("rank_a", "rank_b"), ("rank_b", "rank_a"), strict=True
    ):
        with column.container(border=True, gap="small"):
            letter = "A" if here == "rank_a" else "B"
            st.markdown(f"**{letter} · {plain(one.name)}**")
            listed = found.items.dropna(subset=[here]).sort_values(here)
            labels = one.model.catalog.label_of(listed["item_id"].tolist())
            for label, row in zip(labels, listed.to_dict("records"), strict=True):
                with st.container(
                    horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False
                ):
                    st.markdown(f"{row[here]} · {plain(label)}", width="stretch")
                    st.markdown(_sign(row, here == "rank_b", there), width="content")
    st.caption(say("✓ in both lists · ▲ ▼ places up or down from A to B · ○ in this list only"))


@st.cache_resource(
    show_spinner=False, max_entries=4, hash_funcs={Interactions: lambda interactions: interactions.fingerprint}
)
def _popularity(interactions: Interactions) -> pd.Series:
    """As `popularity_of`, counted once for all sessions."""
    return popularity_of(interactions)


def _sign(row: Mapping[Hashable, Any], in_b: bool, there: str) -> str:
    """How an item of a list stands in the other one: a sign, words and a colour."""
    if pd.isna(row[there]):
        return f":gray-badge[○ {say('only here')}]"
    if not in_b:
        return f":blue-badge[✓ {say('{rank} in B', rank=row[there])}]"
    moved = int(row["moved"])
    if moved == 0:
        return f":blue-badge[✓ {say('same place')}]"
    return f":green-badge[✓ ▲ {moved}]" if moved > 0 else f":orange-badge[✓ ▼ {-moved}]"


def _measures(found: Comparison, k: int) -> None:
    with st.container(horizontal=True, gap="large"):
        st.metric(
            say("In both lists"),
            say("{n} of {k}", n=round(found.overlap * k), k=k),
            help=say("Movies that both lists have: overlap@{k}.", k=k),
            width="content",
        )
        st.metric(
            say("Rank-biased overlap"),
            f"{found.rank_biased:.2f}",
            help=say(
                "Agreement that counts the first places most: 1 is the same list, 0 has nothing in common (p = 0.9)."
            ),
            width="content",
        )
        popular = say("The share of all people who rated a movie, on average over the list.")
        st.metric(say("Popularity A"), _percent(found.popularity_a), help=popular, width="content")
        st.metric(
            say("Popularity B"),
            _percent(found.popularity_b),
            None
            if np.isnan(found.popularity_a - found.popularity_b)
            else say("{points:+.1f} points", points=100 * (found.popularity_b - found.popularity_a)),
            delta_color="off",
            help=popular,
            width="content",
        )


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.1%}"


def _many_people(pair: tuple[Loaded, Loaded], interactions: Interactions) -> None:
    a, b = pair
    which = tuple((str(one.folder), (one.folder / store.MANIFEST).stat().st_mtime_ns) for one in pair)
    rows = _spread(a, b, interactions, (*which, interactions.fingerprint))
    st.subheader(
        say("Over a random sample of {n:,} people", n=len(rows))
        if len(rows) < interactions.n_users
        else say("Over all people ({n:,})", n=len(rows)),
        anchor=False,
    )
    common = (rows["overlap"] * K).round().astype(int)
    chance = K * K / max(len(a.model.item_ids), 1)
    st.caption(
        say(
            "On average {common:.1f} of {k} movies are in both lists (rank-biased overlap {rbo:.2f}); two random lists "
            "would share {chance:.2f}. The movies of A were rated by {a} of all people, those of B by {b}.",
            common=common.mean(),
            k=K,
            rbo=rows["rank_biased"].mean(),
            chance=chance,
            a=_percent(rows["popularity_a"].mean()),
            b=_percent(rows["popularity_b"].mean()),
        )
    )
    st.plotly_chart(
        _histogram(common.to_numpy()),
        key="compare-spread",
        config={"displayModeBar": False},
        alt=say("How many people share how many of {k} movies between the two lists.", k=K),
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _spread(_a: Loaded, _b: Loaded, _interactions: Interactions, which: tuple[Any, ...]) -> pd.DataFrame:
    """The comparison over a sample of users, never to be changed; `which` tells models and data apart."""
    return compare_models(_a.model, _b.model, _interactions, sample_users(_interactions, MOST_SAMPLED), K)


def _histogram(common: np.ndarray) -> go.Figure:
    """How many people (height) share how many movies (0 to K)."""
    counts = np.bincount(common, minlength=K + 1)
    figure = go.Figure(
        go.Bar(
            x=np.arange(K + 1),
            y=counts,
            marker={"color": COLOURS[0]},
            text=[f"{count:,}" if count else "" for count in counts],
            textposition="outside",
            cliponaxis=False,
            hovertext=[
                say("{n} of {k} in both lists; people: {people:,}", n=n, k=K, people=c) for n, c in enumerate(counts)
            ],
            hoverinfo="text",
        )
    )
    figure.update_layout(
        height=280,
        margin={"l": 10, "r": 10, "t": 20, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        bargap=0.15,
        showlegend=False,
        xaxis={"title": {"text": say("movies in both lists, of {k}", k=K)}, "dtick": 1, "showgrid": False},
        yaxis={"title": {"text": say("people")}, "nticks": 4, "rangemode": "tozero"},
    )
    return figure
