"""Access requests, reviews and grants: the state machine and its arrows."""
