"""The models there are. To add one: a file beside these, a line in MODELS, and it must pass the contract test."""

from recsys.models.als import ALS
from recsys.models.bpr import BPR
from recsys.models.learner import Fitted, ItemScores, Learner, with_settings
from recsys.models.popular import Popular
from recsys.models.trained import TrainedModel, train_model

MODELS: dict[str, type[ALS] | type[BPR] | type[Popular]] = {"als": ALS, "bpr": BPR, "popular": Popular}

__all__ = [
    "ALS",
    "BPR",
    "MODELS",
    "Fitted",
    "ItemScores",
    "Learner",
    "Popular",
    "TrainedModel",
    "train_model",
    "with_settings",
]
