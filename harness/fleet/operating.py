"""What can be done to a container on purpose; by itself, because tests name it and import nothing else."""

from typing import Literal

Operation = Literal["pause", "unpause", "kill", "disconnect", "reconnect"]
