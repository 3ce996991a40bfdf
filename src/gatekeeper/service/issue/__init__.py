"""What is issued: launch tokens, the catalogue, status lists."""
