"""How properties are tested: for as long as it takes, because how busy a machine is proves nothing."""

from hypothesis import settings

settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")
