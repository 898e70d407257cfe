"""The embedding report in short."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.axis_text import too_few_known
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.notices import explain_missing_vectors
from recsys.app.owner import told
from recsys.app.pages.quality.measure import SLOW, available_data, run_measurement, show_equivalent_command
from recsys.app.session import Loaded
from recsys.errors import InputError
from recsys.evaluation.report import DIMENSIONS, N_SEEDS, EmbeddingReport, has_n_factors
from recsys.evaluation.significance import best_representations
from recsys.plots.quality import dimension_curve
from recsys.workflows import inspect as inspect_workflow


def draw_space(loaded: Loaded) -> None:
    """Draw the main results of the embedding report, or how to measure them."""
    st.subheader(say("Embedding quality"), anchor=False)
    if not loaded.model.has_space:
        explain_missing_vectors()
        return
    try:
        found = store.stored_report(loaded.folder)
    except InputError as error:
        st.warning(told(error), icon=":material/warning:")
        found = None
    if found is None:
        st.info(say("The embedding of this model has not been measured yet."), icon=":material/straighten:")
        _draw_measure_button(loaded)
        return
    lines = _findings(found, loaded.has_ratings)
    if lines:
        st.markdown("\n".join(f"- {line}" for line in lines))
    _representations(found, loaded.has_ratings)
    _dimension_curve(found, loaded)
    page = loaded.folder / store.REPORT_PAGE
    if page.is_file():
        st.download_button(
            say("Download the full report"), page.read_bytes, help=say("A single HTML page that works offline."),
            file_name=f"{loaded.name}-{page.name}", mime="text/html", icon=":material/download:", on_click="ignore",
            key="download-report",
        )  # fmt: skip
    with st.expander(say("Measure the embedding again"), icon=":material/refresh:"):
        _draw_measure_button(loaded)


def _findings(found: EmbeddingReport, has_ratings: bool) -> list[str]:
    seeds, divergence = found.seeds, found.divergence
    retrieval, analogies = found.own.genre_retrieval, found.own.analogies
    lines = []
    if retrieval.precision is not None and retrieval.chance is not None:
        lines.append(say(
            "**Neighbours.** {share:.0%} of a movie's ten nearest neighbours share a genre with it; among "
            "random movies of similar popularity it is {chance:.0%}."
            if has_ratings else
            "**Neighbours.** {share:.0%} of a movie's ten nearest neighbours share a genre with it; among "
            "random movies it is {chance:.0%}.",
            share=retrieval.precision, chance=retrieval.chance,
        ))  # fmt: skip
    if analogies.n_questions:
        lines.append(
            say(
                "**Analogies.** “Toy Story is to Toy Story 2 as … is to …”: for {hits:.0%} of {n:,} such "
                "questions the answer is in the top ten; with the third movie's neighbours alone, for "
                "{alone:.0%}.",
                hits=analogies.hits, n=analogies.n_questions, alone=analogies.neighbour_hits,
            )
        )  # fmt: skip
    if (smooth := found.smoothness) is not None:
        lines.append(
            say(
                "**Smoothness.** On the line between two random movies, the nearest movies are like both: {share:.0%} "
                "of the points are nearer in genre to both ends than a point between two other movies; with shuffled "
                "vectors, {chance:.0%}.",
                share=smooth.share, chance=smooth.chance,
            )
        )  # fmt: skip
    if seeds.overlap is not None and seeds.chance_overlap is not None:
        lines.append(
            say(
                "**Seeds.** With another seed, {stay:.0%} of a movie's ten nearest neighbours stay the same; "
                "between random vectors, {chance:.0%}.",
                stay=seeds.overlap, chance=seeds.chance_overlap,
            )
        )  # fmt: skip
    if divergence.js is not None and divergence.js_control is not None:
        lines.append(
            say(
                "**Users and movies.** The Jensen–Shannon divergence between user and movie vectors is "
                "{js:.2f} (0: same distribution, 0.69: disjoint; a random split of all vectors: "
                "{control:.2f}). User vectors point towards many liked movies, so the two need not match.",
                js=divergence.js, control=divergence.js_control,
            )
        )  # fmt: skip
    return lines


def _representations(found: EmbeddingReport, has_ratings: bool) -> None:
    """Representations × measures, the best of each marked."""
    rows = found.representations
    heads = {
        "genre_retrieval": (
            say("Same genre"),
            say("The share of a movie's ten nearest neighbours that have a genre in common with it."),
        ),
        "tag_retrieval": (
            say("Same tag"),
            say("The share of a movie's ten nearest neighbours that have a tag in common with it."),
        ),
        "genre_auc": (
            say("Genre"),
            say("How well a linear probe of the vectors predicts a genre (AUC): 0.5 is chance, 1 is perfect."),
        ),
        "decade_auc": (
            say("Decade"),
            say("How well a linear probe of the vectors predicts a decade (AUC): 0.5 is chance, 1 is perfect."),
        ),
        "mean_rating_r2": (
            say("Mean rating"),
            say("How much of the variance of mean ratings a linear probe explains (R²): 0 is none, 1 is all."),
        ),
        "clusters": (
            say("Clusters"),
            say("Agreement of 18 clusters with the genres (normalized mutual information): 0 is none, 1 is perfect."),
        ),
        "analogies": (say("Analogies"), say("The share of sequels and remakes found in the top ten.")),
    }
    if all(row.tag_retrieval is None for row in rows.values()):
        del heads["tag_retrieval"]
    best = best_representations(rows)
    table = []
    for name, row in rows.items():
        label = say("{model} (this model)", model=name) if name == found.model else named(name)
        cells = {}
        for measure in heads:
            value = row.main_values[measure]
            mark = " †" if measure in row.given else " ★" if name in best[measure] else ""
            cells[measure] = "–" if value is None else f"{value:.3f}{mark}"
        table.append({"name": label, "d": row.dimensions} | cells)
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
            "Compared with representations that need no training, on the {n:,} movies with at least 20 "
            "ratings. ★: best in the column. †: this information is part of the representation, so the number "
            "proves nothing.",
            n=found.evaluated_items,
        )
        if has_ratings
        else say(
            "Compared with representations that need no training, on {n:,} movies. ★: best in the column. †: this "
            "information is part of the representation, so the number proves nothing.",
            n=found.evaluated_items,
        )
    )


def _dimension_curve(found: EmbeddingReport, loaded: Loaded) -> None:
    if not found.dimensions:
        return
    st.markdown("**" + say("Quality by number of dimensions") + "**")
    st.caption(say("The model, retrained with each number of dimensions on 80% of each user's ratings."))
    show_chart(
        dimension_curve(
            found.dimensions, loaded.model.space.n_factors, across=say("dimensions"), here=say("this model")
        ),
        key="dimension-curve", alt=say("nDCG@10 by number of dimensions, with 95% intervals"),
    )  # fmt: skip


def _draw_measure_button(loaded: Loaded) -> None:
    """Imported vectors and models of Spark need no data: nothing is retrained for their report."""
    data = available_data(loaded) if loaded.is_retrainable else None
    if data is None and loaded.is_retrainable:
        return
    if (why := too_few_known(loaded)) is not None:
        st.info(plain(why))
        return
    if data is not None:
        n = N_SEEDS + (len(DIMENSIONS) if has_n_factors(loaded.model) else 0)
        st.caption(
            say(
                "Retrains the model {n} times, which can take minutes each time. Leaving the page stops it.",
                n=n,
            )
            if loaded.model.learner.name in SLOW
            else say(
                "Retrains the model {n} times with other seeds and numbers of dimensions: about 15 s for 100,000 "
                "ratings, 10 minutes or more for 25 million. Leaving the page stops it.",
                n=n,
            )
        )
    if st.button(say("Measure the embedding now"), key="measure-space", type="primary", icon=":material/speed:"):
        run_measurement(lambda start: inspect_workflow.report_embedding(loaded.folder, data, start_progress=start), 1)
    of_data = [] if data is None else ["--data", str(data)]
    show_equivalent_command("recsys", "report", "--model", str(loaded.folder), *of_data)
