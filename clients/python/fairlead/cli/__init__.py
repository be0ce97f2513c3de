"""The command line `fairlead`: thin over the SDK, and readable by people and programs.

Data goes to stdout in the format of `--output`, everything else to stderr. The exit code tells the class
of the outcome, see :mod:`fairlead.cli.exits`.
"""
