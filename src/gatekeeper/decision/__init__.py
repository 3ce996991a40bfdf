"""Facts in, decision out. Pure: no clock, no files, no network."""
