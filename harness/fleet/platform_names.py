"""What the platforms are called on the command line and in records; by itself, because everybody needs it."""

from typing import Literal, get_args

PlatformName = Literal["process", "compose", "attach"]
PLATFORMS: tuple[PlatformName, ...] = get_args(PlatformName)
DEFAULT_PLATFORM: PlatformName = "process"
