"""Subjects, devices and sign-ins."""
