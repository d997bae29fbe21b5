"""Baselines: the committed shape of a capture, and what a later capture has lost, changed or gained against it."""
