"""The approval service: OAuth, tokens, requests, policy, keys, storage."""
