"""The models there are. To add one: a file beside these, a line in MODELS, and it must pass the contract test."""

from recsys.models.als import ALS
from recsys.models.bpr import BPR
from recsys.models.ease import EASE
from recsys.models.fitted import Fitted, ItemScores, ItemWeights
from recsys.models.ials import IALS
from recsys.models.itemknn import ItemKNN
from recsys.models.learner import Learner, Watch
from recsys.models.model import Model
from recsys.models.popular import Popular
from recsys.models.settings import with_settings

DEFAULT_MODEL = "ials"
MODELS: dict[str, type[Learner]] = {learner.name: learner for learner in (IALS, ALS, BPR, EASE, ItemKNN, Popular)}

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
    "with_settings",
]
