"""The latent space made visible. `map` lays the items out in two dimensions."""
