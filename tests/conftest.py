"""For all tests: how long an example takes says what else the machine does, and nothing of the code."""

from hypothesis import settings

settings.register_profile("fairlead", deadline=None)
settings.load_profile("fairlead")
