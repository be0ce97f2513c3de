"""The configuration of the whole process, read once at start."""

from fairlead_server.config.reader import Config, Retained, load
from fairlead_server.config.tables import ConfigError

__all__ = ["Config", "ConfigError", "Retained", "load"]
