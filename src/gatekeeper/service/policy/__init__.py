"""The organisation's policy: its folder, its verdicts, zones as patterns."""
