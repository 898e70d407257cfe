"""The embedding report in short."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.axis_text import too_few_known
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.notices import explain_missing_vectors
from recsys.app.pages.quality.measure import command, has_data, run
from recsys.app.session import Loaded
from recsys.errors import InputError
from recsys.evaluation.report import DIMENSIONS, N_SEEDS
from recsys.evaluation.significance import best_representations, value_of
from recsys.plots.quality import dimension_curve
from recsys.workflows import inspect as inspect_workflow


def draw_space(loaded: Loaded) -> None:
    """The embedding report, in short."""
    st.subheader(say("What the space knows"), anchor=False)
    if not loaded.model.has_space:
        explain_missing_vectors()
        return
    try:
        found = store.stored_report(loaded.folder)
    except InputError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        found = None
    if found is None:
        st.info(say("The space of this model has not been measured yet."), icon=":material/straighten:")
        _measure_space(loaded)
        return
    lines = _findings(found)
    if lines:
        st.markdown("\n".join(f"- {line}" for line in lines))
    _representations(found)
    _dimension_curve(found, loaded)
    page = loaded.folder / store.REPORT_PAGE
    if page.is_file():
        st.download_button(
            say("Download the whole report"), page.read_bytes, help=say("One page that opens without a network."),
            file_name=f"{loaded.name}-{page.name}", mime="text/html", icon=":material/download:", on_click="ignore",
            key="download-report",
        )  # fmt: skip
    with st.expander(say("Measure the space again"), icon=":material/refresh:"):
        _measure_space(loaded)


def _findings(found: dict[str, Any]) -> list[str]:
    ours, seeds, apart = found["representations"][found["model"]], found["seeds"], found["divergence"]
    retrieval, analogies = ours["genre_retrieval"], ours["analogies"]
    lines = []
    if _all_known(retrieval, "precision", "chance"):
        lines.append(say(
            "**Neighbours.** {share:.0%} of a movie's ten nearest share a genre with it; of random movies that are as "
            "popular, {chance:.0%} do.",
            share=retrieval["precision"], chance=retrieval["chance"],
        ))  # fmt: skip
    if analogies["n_questions"] and _all_known(analogies, "hits@10", "neighbour_hits@10"):
        lines.append(
            say(
                "**Analogies.** “Toy Story is to Toy Story 2 as … is to …”: {hits:.0%} of {n:,} such questions have "
                "their answer among ten; the third movie's neighbours alone have {alone:.0%}.",
                hits=analogies["hits@10"], n=analogies["n_questions"], alone=analogies["neighbour_hits@10"],
            )
        )  # fmt: skip
    if seeds["n"] and _all_known(seeds, "overlap@10", "chance_overlap@10"):
        lines.append(
            say(
                "**Luck.** Trained with another seed, {stay:.0%} of the ten nearest stay; between random vectors "
                "{chance:.0%} do.",
                stay=seeds["overlap@10"], chance=seeds["chance_overlap@10"],
            )
        )  # fmt: skip
    if _all_known(apart, "js", "js_control"):
        lines.append(
            say(
                "**People and movies.** They lie apart by a Jensen–Shannon divergence of {js:.2f} (0: mixed, 0.69: "
                "nothing in common; all of them parted at random: {control:.2f}). People point where many movies "
                "are liked, so the two need not agree.",
                js=apart["js"], control=apart["js_control"],
            )
        )  # fmt: skip
    return lines


def _all_known(measured: dict[str, Any], *names: str) -> bool:
    """Whether all of these could be measured."""
    return all(measured[name] is not None for name in names)


def _representations(found: dict[str, Any]) -> None:
    """Representations × measures, the best of each marked."""
    rows = found["representations"]
    heads = {
        "genre_retrieval": (say("Same genre"), say("Share of a movie's ten nearest that share a genre with it.")),
        "tag_retrieval": (say("Same tag"), say("Share of a movie's ten nearest that share a tag with it.")),
        "genre_auc": (say("Genre"), say("How well a line through the space tells a genre: ½ is a coin, 1 perfect.")),
        "decade_auc": (say("Decade"), say("How well a line through the space tells a decade: ½ is a coin, 1 perfect.")),
        "mean_rating_r2": (say("Mean rating"), say("How much of a movie's mean rating it explains: 0 nothing, 1 all.")),
        "clusters": (say("Clusters"), say("What 18 clusters share with the genres: 0 nothing, 1 all.")),
        "analogies": (say("Analogies"), say("Sequels and remakes found among ten answers.")),
    }
    if all(row["tag_retrieval"] is None for row in rows.values()):
        del heads["tag_retrieval"]
    best = best_representations(rows)
    table = []
    for name, row in rows.items():
        label = say("{model} (this model)", model=name) if name == found["model"] else named(name)
        cells = {}
        for measure in heads:
            value = value_of(row, measure)
            mark = " †" if measure in row["told"] else " ★" if name in best[measure] else ""
            cells[measure] = "–" if value is None else f"{value:.3f}{mark}"
        table.append({"name": label, "d": row["dimensions"]} | cells)
    st.dataframe(
        pd.DataFrame(table), hide_index=True, width="stretch", key="representations",
        column_config={
            "name": st.column_config.TextColumn(say("Representation"), pinned=True),
            "d": st.column_config.NumberColumn(say("Dimensions"), format="localized"),
            **{measure: st.column_config.TextColumn(words, help=help) for measure, (words, help) in heads.items()},
        },
    )  # fmt: skip
    st.caption(
        say(
            "Beside representations that need no learning, on the {n:,} movies with twenty ratings or more. ★ best of "
            "the column. † was told this beforehand, so its number proves nothing.",
            n=found["judged_items"],
        )
    )


def _dimension_curve(found: dict[str, Any], loaded: Loaded) -> None:
    if not found["dimensions"]:
        return
    st.markdown("**" + say("What each dimension adds") + "**")
    st.caption(say("The model trained anew with so many dimensions on four fifths of each person's ratings."))
    show_chart(
        dimension_curve(
            found["dimensions"], loaded.model.space.n_factors, across=say("dimensions"), here=say("this model")
        ),
        key="dimension-curve", alt=say("nDCG@10 by the number of dimensions, with 95% intervals"),
    )  # fmt: skip


def _measure_space(loaded: Loaded) -> None:
    if not has_data(loaded):
        return
    if (why := too_few_known(loaded)) is not None:
        st.info(plain(why))
        return
    st.caption(
        say(
            "It trains the model {n} times anew, with other numbers of dimensions and other seeds: expect so many "
            "times its training, and more. On 100,000 ratings that is about fifteen seconds, on 25 million ten minutes "
            "or more. Leaving the page stops it.",
            n=len(DIMENSIONS) + N_SEEDS,
        )
    )
    if st.button(say("Measure the space now"), key="measure-space", type="primary", icon=":material/speed:"):
        run(lambda report: inspect_workflow.report_embedding(loaded.folder, loaded.data_folder, report=report), 1)  # type: ignore[arg-type]
    command("recsys", "report", "--model", str(loaded.folder), "--data", str(loaded.data_folder))
