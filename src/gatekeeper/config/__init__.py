"""Configuration: the keys, the layers and where each value came from."""
