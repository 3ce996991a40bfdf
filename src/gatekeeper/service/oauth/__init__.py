"""The token endpoint: who may have a token at all."""
