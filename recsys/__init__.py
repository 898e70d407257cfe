"""A movie recommender whose embedding space can be seen, named, measured and steered."""

__version__ = "0.1.0"
