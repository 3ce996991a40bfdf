"""The outbox of messages to people."""
