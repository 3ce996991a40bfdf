"""Talks to the service: sign-in, renewal, requests."""
