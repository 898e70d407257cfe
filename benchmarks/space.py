"""How interpretable the embedding space is: `make bench` writes the tables into RESULTS.md.

    python benchmarks/space.py axes        rotations, verified names, controls, asked-for axes
    python benchmarks/space.py steering    effect and cost of steering
    python benchmarks/space.py maps        layouts: fidelity, placement of new items, time
    python benchmarks/space.py analogies   sequels and remakes, compared with chance and with plain neighbours
    python benchmarks/space.py walks       smoothness between two movies, imaginary viewers; ials, vae, stored models

All models are `ials` with default settings; walks also measures `vae` and the model folders of `--stored`. Movies with
fewer than 20 ratings are excluded.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np
from results import prepared, write_section

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.errors import RecsysError
from recsys.evaluation.analogies import Answers, analogy_quality, title_pairs
from recsys.evaluation.ranking import rank_quality
from recsys.evaluation.smoothness import smoothness
from recsys.evaluation.stability import discover_axes
from recsys.models import IALS, VAE, Model
from recsys.models.fitted import Vectors
from recsys.recommend.steer import shifted
from recsys.recommend.topn import batch_of_users, recommend
from recsys.space.auc import auc
from recsys.space.discovery import STABLE_AXIS
from recsys.space.evidence import DiscoveryEvidence, ProbeEvidence
from recsys.space.item_map import MapMethod
from recsys.space.layout import align, make_map
from recsys.space.naming import name_ends
from recsys.space.probes import ask
from recsys.space.questions import built_in_questions, question_of
from recsys.space.rotation import Method, rotate
from recsys.space.walk import decode, sample

DATASETS = ("ml-1m", "ml-100k", "ml-latest-small")
FIRST = 20
"""Axes that are counted: those a reader would look at."""
N_VIEWERS = 300


def trained(name: str) -> tuple[Model, Interactions]:
    """The default model of a dataset, and its interactions."""
    data = prepared(name)
    return IALS().fit(data), data.interactions


def axes() -> list[str]:
    """Discovered axes by each method, the shuffled control, and asked-for axes."""
    lines = [
        "## Axes of the embedding space",
        "",
        "`best axis` is the AUC of a genre along the axis that separates it best, mean over genres; `other half` is "
        "the same on one half of the movies with the axis chosen on the other half, mean of ten splits. `named` counts "
        f"the first {FIRST} axes with a verified name, `stable` those found again (cosine ≥ {STABLE_AXIS}) on "
        "bootstrap samples of the users, median of five refits; `shuffled` counts named axes among all after permuting "
        "the vectors between movies, mean of ten permutations. `python benchmarks/space.py axes`",
        "",
        "| data | method | best axis | other half | stable | named | shuffled |",
        "|---|---|---|---|---|---|---|",
    ]
    asked = [
        "",
        "Asked-for axes, on movies the probe was not trained on, with the 95 % interval; controls: popularity alone, "
        "year alone, the best learned dimension, and shuffled answers.",
        "",
        "| data | axis | held out | popularity | year | learned dimension | shuffled | in the space |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in DATASETS:
        model, interactions = trained(name)
        known = model.attributes.well_known
        attributes = model.attributes
        genres = attributes.of_kind("genre").common(known)
        directions = model.space.item_directions
        for method in get_args(Method):
            along = directions.astype(float) @ rotate(directions[known], method)
            areas = auc(along[known], genres.carries[known])
            best = np.maximum(areas, 1 - areas).max(axis=1).mean()
            other_half = picked_on_one_half(along[known], genres.carries[known])
            found = discover_axes(model, interactions, method)
            evidence = [axis.evidence for axis in found.discovered[:FIRST]]
            stable = sum(each.is_stable for each in evidence if isinstance(each, DiscoveryEvidence))
            named = sum(axis.is_valid for axis in found.discovered[:FIRST])
            shuffles = [np.random.default_rng(seed).permutation(len(along)) for seed in range(10)]
            shuffled = [
                sum(ends != ([], []) for ends in name_ends(along[rows], attributes, known)) for rows in shuffles
            ]
            lines.append(
                f"| {name} | {method} | {best:.3f} | {other_half:.3f} | {stable} | {named} "
                f"| {np.mean(shuffled):.1f} of {along.shape[1]} |"
            )
            print(lines[-1], file=sys.stderr)
        questions = built_in_questions(attributes)
        questions += [question_of(genre, attributes) for genre in genres.names]
        of_genres = []
        for question in questions:
            axis = ask(model.space, attributes, question)
            e = axis.evidence
            assert isinstance(e, ProbeEvidence)
            if question.name.startswith("not "):
                of_genres.append(e.value)
            measure = "AUC" if e.measure == "auc" else "Spearman"
            controls = " | ".join(
                f"{e.controls[key]:.2f}" for key in ("popularity alone", "year alone", "best raw dimension", "shuffled")
            )
            asked.append(
                f"| {name} | {axis.name} | {measure} {e.value:.3f} ({e.low:.3f} … {e.high:.3f}) | {controls} "
                f"| {'yes' if axis.is_valid else 'no'} |"
            )
        asked.append(f"| {name} | **mean of {len(of_genres)} genres** | **AUC {np.mean(of_genres):.4f}** | | | | | |")
    return lines + asked


def picked_on_one_half(along: np.ndarray, carries: np.ndarray, n_deals: int = 10) -> float:
    """Mean AUC of the attributes (n, m) along the axis (n, k), with axis and sign chosen on the other half."""
    found = []
    for seed in range(n_deals):
        half = np.random.default_rng(seed).permutation(len(along)) < len(along) // 2
        for one, other in ((half, ~half), (~half, half)):
            picked_by, tested_by = auc(along[one], carries[one]), auc(along[other], carries[other])
            both = np.concatenate([picked_by, 1 - picked_by], axis=1)
            best = np.nan_to_num(both).argmax(axis=1)
            found.append(np.concatenate([tested_by, 1 - tested_by], axis=1)[np.arange(len(best)), best])
    return float(np.nanmean(found))


def steering() -> list[str]:
    """Every user steered along every built-in axis: effect, cost, and change along other axes."""
    lines = [
        "## Steering",
        "",
        "Every user is steered by ±1 along each built-in axis; their top-20 lists before and after are compared. "
        "`moved` is the share of users whose mean coordinate moves in that direction, `monotone` the share for whom it "
        "rises at each step from -2 to 2, `shift` the mean change in standard deviations, `others` the mean absolute "
        "change along the other three axes, `score loss` the median share of the unsteered score that the new list "
        "gives up, `kept` the share of the old list that remains, `nDCG@10` that of the list for the held-out fifth "
        "of the ratings (protocol random), unsteered in brackets. `python benchmarks/space.py steering`",
        "",
        "| data | axis | amount | moved | monotone | shift | others | score loss | kept | nDCG@10 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in DATASETS:
        data = prepared(name)
        split = hold_out(data.interactions, "random")
        model = IALS().fit(Dataset(split.train, data.catalog))
        everyone = batch_of_users(model, split.train)
        assert everyone.vectors is not None
        before = _rows(model, recommend(model, everyone, 20))
        quality = rank_quality(model, split, (10,), auc=False)["ndcg@10"]
        taste = model.space.score(everyone.vectors)
        found = [ask(model.space, model.attributes, q) for q in built_in_questions(model.attributes)]
        places = [axis.positions(model.space) for axis in found]
        for number, axis in enumerate(found):
            rows = {0.0: before}
            for amount in (-2.0, -1.0, 1.0, 2.0):
                rows[amount] = _rows(model, recommend(model, shifted(model, everyone, [(axis, amount)]), 20))
            means = np.array([np.nanmean(places[number][rows[amount]], axis=1) for amount in sorted(rows)])
            monotone = (np.diff(means, axis=0) >= 0).all(axis=0).mean()
            for amount in (-1.0, 1.0):
                after = rows[amount]
                moves = [np.nanmean(place[after], axis=1) - np.nanmean(place[before], axis=1) for place in places]
                others = np.mean([np.abs(move) for at, move in enumerate(moves) if at != number])
                lost = 1 - (np.take_along_axis(taste, after, 1).mean(1) / np.take_along_axis(taste, before, 1).mean(1))
                kept = np.mean([len(set(a) & set(b)) / 20 for a, b in zip(after, before, strict=True)])
                moved = shifted(model, everyone, [(axis, amount)]).vectors
                assert moved is not None
                assert isinstance(model.fitted, Vectors)
                fitted = dataclasses.replace(model.fitted, space=dataclasses.replace(model.space, user_factors=moved))
                steered = rank_quality(dataclasses.replace(model, fitted=fitted), split, (10,), auc=False)["ndcg@10"]
                lines.append(
                    f"| {name} | {axis.name} | {amount:+.0f} | {(amount * moves[number] > 0).mean():.1%} "
                    f"| {monotone:.1%} | {moves[number].mean():+.2f} | {others:.2f} | {np.median(lost):.0%} | "
                    f"{kept:.0%} "
                    f"| {steered:.3f} ({quality:.3f}) |"
                )
                print(lines[-1], file=sys.stderr)
    return lines


def _rows(model: Model, table: object) -> np.ndarray:
    """Lists of 20 as item rows, (n_users, 20)."""
    return model.space.item_rows(table["item_id"].to_numpy()).reshape(-1, 20)  # type: ignore[index]


def analogies() -> list[str]:
    """Sequels and remakes by vector arithmetic."""
    lines = [
        "## Analogies",
        "",
        "“A is to its sequel (remake) as B is to ?”, with pairs derived from titles by rule; share of questions whose "
        "answer is in the top ten. `neighbours` returns the nearest items of B alone: the baseline for the arithmetic. "
        "`python benchmarks/space.py analogies`",
        "",
        "| data | kind | pairs | questions | hits@10 | neighbours | chance | shuffled vectors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in DATASETS:
        model, _ = trained(name)
        known, vectors = model.attributes.well_known, model.space.item_factors
        pairs = title_pairs(model.catalog, model.n_ratings)
        found = analogy_quality(vectors, pairs, known)
        shuffled = analogy_quality(vectors[np.random.default_rng(0).permutation(len(vectors))], pairs, known)
        rows: list[tuple[str, Answers, Answers]] = [("all", found, shuffled)]
        rows += [(kind, answers, shuffled.by_kind[kind]) for kind, answers in found.by_kind.items()]
        for kind, of_kind, control in rows:
            lines.append(
                f"| {name} | {kind} | {of_kind.n_pairs} | {of_kind.n_questions:,} | {of_kind.hits:.3f} "
                f"| {of_kind.neighbour_hits:.3f} | {of_kind.chance:.4f} | {control.hits:.4f} |"
            )
    return lines


def maps() -> list[str]:
    """Every map method: fidelity, placement of new items, stability under a refit, time."""
    lines = [
        "## Maps",
        "",
        "Fidelity by cosine neighbours among all movies. `landing` is the median distance between a movie's position "
        "and the position it would get if it were added later, in units of the median distance of random pairs; "
        "`refit` is how far movies move (alignment residual) when the model is retrained with another seed and "
        "the map starts from the earlier one; `s` is one layout on one thread, including its measurement. "
        "`python benchmarks/space.py maps`",
        "",
        "| data | map | trustworthiness | continuity | recall@15 | landing | recall@15 of landing | refit | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in DATASETS:
        data = prepared(name)
        model, _ = trained(name)
        other = IALS(seed=43).fit(data)
        questions = built_in_questions(model.attributes)
        planes = [
            (ask(m.space, m.attributes, questions[0]), ask(m.space, m.attributes, questions[1])) for m in (model, other)
        ]
        for method in get_args(MapMethod):
            along = method == "axes"
            started = time.perf_counter()
            made = make_map(model.space, method, axes=planes[0] if along else None)
            seconds = time.perf_counter() - started
            again = make_map(other.space, method, axes=planes[1] if along else None, previous=None if along else made)
            if along:
                there = made.is_placed & again.is_placed
                refit = align(again.coordinates[there], np.arange(there.sum()), made.coordinates[there])[1]
            else:
                refit = again.fidelity["alignment_residual"]
            f = made.fidelity
            lines.append(
                f"| {name} | {method}{' (children to adult, art-house to blockbuster)' if along else ''} "
                f"| {f['trustworthiness']:.3f} | {f['continuity']:.3f} | {f['recall@15']:.3f} | "
                f"{f['landing_error']:.3f} "
                f"| {f['landing_recall@15']:.3f} | {refit:.3f} | {seconds:.1f} |"
            )
            print(lines[-1], file=sys.stderr)
    return lines


def walks(stored: Sequence[Path]) -> list[str]:
    """Smoothness of the lines between random movies, next to dealt vectors; and the lists of imaginary viewers.

    stored  folders of further models
    """
    lines = [
        "## Walks between movies, and imaginary viewers",
        "",
        "At a quarter, a half and three quarters of the straight line between two random movies, 1,000 pairs: the "
        "share of points whose ten nearest movies are nearer in genre to both ends than those of a point on the line "
        "between two other movies. `chance` is the same with the vectors dealt to the movies at random. Models named "
        "by a folder were trained earlier. `python benchmarks/space.py walks`",
        "",
        "| data | model | share | chance |",
        "|---|---|---|---|",
    ]
    viewers = [
        "",
        f"Lists of ten for {N_VIEWERS} vectors drawn from the normal distribution fitted to the user vectors "
        f"(`users`), for standard normal vectors (`normal`), and for {N_VIEWERS} random users: different movies "
        "in all lists, and the median number of ratings of a listed movie.",
        "",
        "| data | model | drawn from | different movies | median ratings |",
        "|---|---|---|---|---|",
    ]
    multvae = VAE("multvae")
    trainings = (("ml-1m", IALS()), ("ml-100k", IALS()), ("ml-100k", VAE()), ("ml-100k", multvae))
    models = ((name, learner.fit(prepared(name))) for name, learner in trainings)
    for name, model in chain(models, ((path.name, store.load_model(path)) for path in stored)):
        found = smoothness(model.space, model.attributes)
        label = "`vae`, variant multvae" if model.learner == multvae else f"`{model.learner.name}`"
        lines.append(f"| {name} | {label} | {found.share:.3f} | {found.chance:.3f} |")
        print(lines[-1], file=sys.stderr, flush=True)
        users = model.space.user_factors[:, : model.space.n_factors]
        drawn = {
            "`users`": sample(model.space, N_VIEWERS),
            "`normal`": sample(model.space, N_VIEWERS, prior="normal"),
            "real users": users[np.random.default_rng(42).choice(len(users), N_VIEWERS, replace=False)],
        }
        for what, vectors in drawn.items():
            rows, _ = decode(model.space, vectors, 10)
            median = np.median(model.n_ratings[rows])
            viewers.append(f"| {name} | {label} | {what} | {len(np.unique(rows)):,} | {median:.0f} |")
    return lines + viewers


def main() -> None:
    """Run one part and replace its section of RESULTS.md."""
    parts = {"axes": axes, "steering": steering, "maps": maps, "analogies": analogies}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*parts, "walks"))
    parser.add_argument("--stored", type=Path, nargs="*", default=[], help="model folders for the part walks")
    chosen = parser.parse_args()
    started = time.perf_counter()
    try:
        write_section(walks(chosen.stored) if chosen.part == "walks" else parts[chosen.part]())
    except RecsysError as error:
        sys.exit(f"{error}")
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
