"""Decides right or wrong: captures, their diagnosis when something is missing."""
