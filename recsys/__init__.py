"""A movie recommender whose embedding space can be seen, named, measured and steered.

    >>> import recsys
    >>> data = recsys.load_dataset("ml-100k")                            # doctest: +SKIP
    >>> model = recsys.IALS(n_factors=64).fit(data)                      # doctest: +SKIP
    >>> model.recommend(ratings={"Alien": 5, "Blade Runner": 4})         # doctest: +SKIP

Every public name is listed in `__all__` and loaded when it is first used, so that `import recsys` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys.dataset.catalog import Catalog
    from recsys.dataset.dataset import Dataset
    from recsys.dataset.interactions import Interactions
    from recsys.dataset.weighting import Weighting
    from recsys.errors import AmbiguousTitle, InputError, RecsysError, SettingError, Unavailable, UnknownId, Unsupported
    from recsys.evaluation.evaluate import Evaluation, evaluate
    from recsys.evaluation.report import EmbeddingReport
    from recsys.ingest.sources import load_dataset, read_ratings
    from recsys.models.als import ALS
    from recsys.models.blend import Blend
    from recsys.models.bpr import BPR
    from recsys.models.ease import EASE
    from recsys.models.ials import IALS
    from recsys.models.itemknn import ItemKNN
    from recsys.models.model import Model
    from recsys.models.popular import Popular
    from recsys.models.sequence import Sequence
    from recsys.models.vae import VAE
    from recsys.recommend.steer import Steered
    from recsys.space.axis import Axes, Axis
    from recsys.space.embedding import EmbeddingSpace
    from recsys.space.item_clusters import ItemClusters
    from recsys.space.item_map import ItemMap
    from recsys.store.models import load_model

_HOMES = {
    "ALS": "recsys.models.als",
    "AmbiguousTitle": "recsys.errors",
    "Axes": "recsys.space.axis",
    "Axis": "recsys.space.axis",
    "BPR": "recsys.models.bpr",
    "Blend": "recsys.models.blend",
    "Catalog": "recsys.dataset.catalog",
    "Dataset": "recsys.dataset.dataset",
    "EASE": "recsys.models.ease",
    "EmbeddingReport": "recsys.evaluation.report",
    "EmbeddingSpace": "recsys.space.embedding",
    "Evaluation": "recsys.evaluation.evaluate",
    "IALS": "recsys.models.ials",
    "InputError": "recsys.errors",
    "Interactions": "recsys.dataset.interactions",
    "ItemClusters": "recsys.space.item_clusters",
    "ItemKNN": "recsys.models.itemknn",
    "ItemMap": "recsys.space.item_map",
    "Model": "recsys.models.model",
    "Popular": "recsys.models.popular",
    "RecsysError": "recsys.errors",
    "Sequence": "recsys.models.sequence",
    "SettingError": "recsys.errors",
    "Steered": "recsys.recommend.steer",
    "VAE": "recsys.models.vae",
    "Unavailable": "recsys.errors",
    "UnknownId": "recsys.errors",
    "Unsupported": "recsys.errors",
    "Weighting": "recsys.dataset.weighting",
    "evaluate": "recsys.evaluation.evaluate",
    "load_dataset": "recsys.ingest.sources",
    "load_model": "recsys.store.models",
    "read_ratings": "recsys.ingest.sources",
}
"""Where each public name is defined; a test holds it equal to the imports above, which type checkers read."""

__version__ = "0.1.0"
__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "IALS",
    "VAE",
    "AmbiguousTitle",
    "Axes",
    "Axis",
    "Blend",
    "Catalog",
    "Dataset",
    "EmbeddingReport",
    "EmbeddingSpace",
    "Evaluation",
    "InputError",
    "Interactions",
    "ItemClusters",
    "ItemKNN",
    "ItemMap",
    "Model",
    "Popular",
    "RecsysError",
    "Sequence",
    "SettingError",
    "Steered",
    "Unavailable",
    "UnknownId",
    "Unsupported",
    "Weighting",
    "__version__",
    "evaluate",
    "load_dataset",
    "load_model",
    "read_ratings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recsys' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
