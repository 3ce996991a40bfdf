"""How results are printed: text, JSON and, later, the formats of pipelines."""
