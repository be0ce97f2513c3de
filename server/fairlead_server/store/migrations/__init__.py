"""The schema's history, run by Alembic. ``HEAD`` names the last version, so that a store that has it opens at once."""

HEAD = "0013"
