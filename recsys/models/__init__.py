"""The models there are. To add one: a file beside these, a line in MODELS, and it must pass the contract test."""

from typing import Any

from recsys.models.als import ALS
from recsys.models.bpr import BPR
from recsys.models.ease import EASE
from recsys.models.fitted import Fitted, ItemScores, ItemWeights
from recsys.models.ials import IALS
from recsys.models.itemknn import ItemKNN
from recsys.models.learner import Learner, Watch, with_settings
from recsys.models.model import Model, train_model
from recsys.models.popular import Popular

DEFAULT_MODEL = "ials"
MODELS: dict[str, type[Any]] = {learner.name: learner for learner in (IALS, ALS, BPR, EASE, ItemKNN, Popular)}

__all__ = [
    "ALS",
    "BPR",
    "DEFAULT_MODEL",
    "EASE",
    "IALS",
    "MODELS",
    "Fitted",
    "ItemKNN",
    "ItemScores",
    "ItemWeights",
    "Learner",
    "Model",
    "Popular",
    "Watch",
    "train_model",
    "with_settings",
]
