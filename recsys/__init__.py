"""A movie recommender whose embedding space can be seen, named, measured and steered."""
