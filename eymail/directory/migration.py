"""Runs the migrations, inside the one transaction that the caller holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection

from eymail.directory import migrations
from eymail.errors import DirectoryError


def scripts() -> ScriptDirectory:
    """The revisions that come with this eymail."""
    return ScriptDirectory(str(Path(migrations.__file__).parent))


def upgrade(connection: Connection, where: str) -> None:
    """Bring the schema to the newest revision. Raises DirectoryError when it is newer than that."""
    script = scripts()

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)  # as Alembic's own "upgrade" command does

    try:
        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()
    except (CommandError, ResolutionError) as error:
        raise DirectoryError(f"the directory {where} was made by a newer eymail", "update eymail") from error
