"""What data is: interactions, catalog, attributes, weighting, splits and statistics."""
