"""What is known of the vendors' tools, as data."""
