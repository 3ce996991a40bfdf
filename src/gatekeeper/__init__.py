"""gatekeeper: launches AI coding assistants only with the organisation's approval."""

__version__ = "0.1.0"
