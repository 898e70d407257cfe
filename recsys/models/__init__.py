"""The models. To add one: a module here with a `Learner`, a line in MODELS, and a line in the contract test."""

from recsys.models.als import ALS
from recsys.models.blend import Blend
from recsys.models.bpr import BPR
from recsys.models.ease import EASE
from recsys.models.fitted import Contributions, Fitted, ItemScores, ItemWeights, Vectors
from recsys.models.ials import IALS
from recsys.models.imported import Imported
from recsys.models.itemknn import ItemKNN
from recsys.models.learner import Learner, VectorLearner
from recsys.models.mllib import MLlibALS
from recsys.models.model import Model
from recsys.models.popular import Popular
from recsys.models.sequence import Sequence
from recsys.models.settings import with_settings
from recsys.models.user_batch import COLD, FOLDED_IN, STORED, UserBatch
from recsys.models.vae import VAE

DEFAULT_MODEL = "ials"
MODELS: dict[str, type[Learner]] = {
    learner.name: learner for learner in (IALS, ALS, BPR, VAE, Sequence, Blend, EASE, ItemKNN, Popular)
}
"""The models that can be trained."""
LEARNERS: dict[str, type[Learner]] = MODELS | {MLlibALS.name: MLlibALS, Imported.name: Imported}
"""The models that a folder may hold."""

__all__ = [
    "ALS",
    "BPR",
    "COLD",
    "DEFAULT_MODEL",
    "EASE",
    "FOLDED_IN",
    "IALS",
    "LEARNERS",
    "MODELS",
    "STORED",
    "VAE",
    "Blend",
    "Contributions",
    "Fitted",
    "Imported",
    "ItemKNN",
    "ItemScores",
    "ItemWeights",
    "Learner",
    "MLlibALS",
    "Model",
    "Popular",
    "Sequence",
    "UserBatch",
    "VectorLearner",
    "Vectors",
    "with_settings",
]
