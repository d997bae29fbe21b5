"""Commenting on pull requests through the API of the forge that runs the verification."""
