"""`gatekeeper service …`: run the approval service, and decide as its operator. The only importers of the service."""
