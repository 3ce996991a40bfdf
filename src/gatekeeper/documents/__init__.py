"""One file per document: its class, parse_ and render_."""
