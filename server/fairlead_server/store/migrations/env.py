"""Runs the versions in ``versions/`` on the connection that the caller has opened, within its transaction."""

from alembic import context

from fairlead_server.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
