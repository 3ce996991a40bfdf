"""From bytes to verified payloads."""
