"""What a platform does not have; by itself, so that whoever only catches it imports nothing else."""


class NotPossible(RuntimeError):
    """What is asked for cannot be had where the services run; the message says why. A test that asks is skipped."""
