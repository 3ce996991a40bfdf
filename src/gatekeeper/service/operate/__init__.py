"""The operator's commands: init, invite, review."""
