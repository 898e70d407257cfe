"""How good a model is: at ranking what people really chose."""
