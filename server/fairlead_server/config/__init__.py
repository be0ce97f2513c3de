"""The configuration of the whole process, read once at start."""

from fairlead_server.config.reader import Config, ConfigError, load

__all__ = ["Config", "ConfigError", "load"]
