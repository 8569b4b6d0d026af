"""SQLite as a safe place: opening and upgrading a database, a connection a thread, transactions, copies.

No table is named here: what is remembered, and how, is told by schema.sql and db.py.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import texts
from config import SetupError

Row = dict[str, Any]

APPLICATION_ID = 0x6E6F7465  # "note" in ASCII, in the file's header: tells our database from any other
SCHEMA = Path(__file__).with_name("schema.sql")

# migrations/N.sql brings a database from version N - 1 to version N. A fresh one is made from schema.sql, which
# always has the newest shape.
MIGRATIONS = SCHEMA.with_name("migrations")
VERSION = 2


class _Thread(threading.local):
    """A thread's connection and what it wants done after its commit."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.path: Path | None = None
        self.after_commit: list[Callable[[], None]] = []


_path: Path | None = None
_thread = _Thread()
_relaxed: sqlite3.Connection | None = None
# Writers of this process queue here. SQLite's own lock would do, but who meets it sleeps and tries again:
# slower, and in no order.
_write_lock = threading.RLock()


# Opening -----------------------------------------------------------------------------------------------


def open(path: Path | str) -> None:
    """Make or upgrade the database at path and use it from now on; SetupError if it cannot be ours."""
    global _path
    close()
    path = Path(path)
    try:
        with closing(_connect(path)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")  # a migration may make anew what others point to
            # The lock comes first: two bots started at once look and upgrade one after the other.
            connection.execute("BEGIN IMMEDIATE")
            _check_ours(connection, path)
            _upgrade(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        raise SetupError(_why_not(error, path)) from error
    _path = path


def close() -> None:
    """Close this thread's connection and the relaxed one; the next call opens them again."""
    global _relaxed
    close_thread()
    with _write_lock:
        if _relaxed:
            _relaxed.close()
            _relaxed = None


def close_thread() -> None:
    """Close this thread's connection; the thread is about to end."""
    if _thread.connection:
        _thread.connection.close()
        _thread.connection = None


def _connect(path: Path, synchronous: str = "FULL") -> sqlite3.Connection:
    own = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    own.row_factory = _as_dict
    try:
        own.execute("PRAGMA foreign_keys = ON")
        own.execute(f"PRAGMA synchronous = {synchronous}")
    except sqlite3.DatabaseError:
        own.close()
        raise
    return own


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise SetupError(texts.db_foreign(path))
    elif _pragma(connection, "user_version") > VERSION:
        raise SetupError(texts.db_newer(path))


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring an empty or older database to VERSION, inside the caller's transaction."""
    version = _pragma(connection, "user_version")
    steps = [MIGRATIONS / f"{n}.sql" for n in range(version + 1, VERSION + 1)] if version else [SCHEMA]
    for step in steps:
        for statement in _statements(step.read_text(encoding="utf-8")):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _statements(script: str) -> Iterator[str]:
    """Cut a script into statements: executescript() would commit the transaction it is run in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[name])


def _why_not(error: sqlite3.DatabaseError, path: Path) -> str:
    code = _primary_code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return texts.db_foreign(path)
    if code == sqlite3.SQLITE_CORRUPT:
        return texts.db_damaged(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return texts.db_busy(path)
    return texts.db_unusable(path)


# Transactions --------------------------------------------------------------------------------------------


@contextmanager
def transaction() -> Iterator[None]:
    """Run a block as one transaction; inside another one, as a part of it that is rolled back alone."""
    own = connection()
    if own.in_transaction:
        with _savepoint(own):
            yield
        return
    with _write_lock:
        try:
            with begun(own):
                yield
        except BaseException:
            _thread.after_commit.clear()
            raise
    callbacks, _thread.after_commit = _thread.after_commit, []
    for callback in callbacks:
        callback()


@contextmanager
def begun(own: sqlite3.Connection) -> Iterator[None]:
    """Run a block between BEGIN and COMMIT, or ROLLBACK."""
    own.execute("BEGIN IMMEDIATE")
    try:
        yield
        own.execute("COMMIT")
    except BaseException:
        if own.in_transaction:  # SQLite has rolled back by itself when the disk is full
            own.execute("ROLLBACK")
        raise


@contextmanager
def _savepoint(own: sqlite3.Connection) -> Iterator[None]:
    own.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if own.in_transaction:
            own.execute("ROLLBACK TO part")
            own.execute("RELEASE part")
        raise
    own.execute("RELEASE part")


@contextmanager
def relaxed() -> Iterator[sqlite3.Connection]:
    """Give a connection that all threads share, one after another, and whose commits do not wait for the disk.

    A power cut may undo what was written last, but breaks nothing; a process that is killed loses not even that.
    """
    global _relaxed
    with _write_lock:
        if not _relaxed:
            _relaxed = _connect(_opened(), synchronous="NORMAL")
        yield _relaxed


def on_commit(callback: Callable[[], None]) -> None:
    """Call back once what this transaction wrote is on disk; never, if it is rolled back."""
    if connection().in_transaction:
        _thread.after_commit.append(callback)
    else:
        callback()


def is_unavailable(error: BaseException) -> bool:
    """Tell a database that cannot be used now (locked, full, failing disk) from a mistake in our code."""
    return isinstance(error, sqlite3.DatabaseError) and _primary_code(error) in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CORRUPT,
    )


def _primary_code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the higher bits tell the variety


# Statements ----------------------------------------------------------------------------------------------


def connection() -> sqlite3.Connection:
    """Return this thread's connection; RuntimeError before open()."""
    path = _opened()
    if _thread.path is not path:
        close_thread()
    if not _thread.connection:
        _thread.connection, _thread.path = _connect(path), path
    return _thread.connection


def read(sql: str, *values: Any, **named: Any) -> list[Row]:
    """Return all rows of a query."""
    return connection().execute(sql, named or values).fetchall()


def read_one(sql: str, *values: Any) -> Row | None:
    """Return the first row of a query."""
    row: Row | None = connection().execute(sql, values).fetchone()
    return row


def write(sql: str, *values: Any, **named: Any) -> sqlite3.Cursor:
    """Change something, in the transaction that is open or in one of its own."""
    own = connection()
    if own.in_transaction:
        return own.execute(sql, named or values)
    with transaction():
        return own.execute(sql, named or values)


def _opened() -> Path:
    if _path is None:
        raise RuntimeError("open() has not been called")
    return _path


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


# Looking and copying -------------------------------------------------------------------------------------


def size() -> int:
    """Return how many bytes the database takes, with what it has not merged yet."""
    path = _opened()
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


@contextmanager
def inspected(path: Path | str) -> Iterator[sqlite3.Connection]:
    """Give a database to read only; SetupError if it is missing, not ours, or damaged."""
    path = Path(path)
    try:
        # Not mode=ro: that would leave companions of the file behind, which may be another user's than the bot.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5)) as own:
            own.execute("PRAGMA query_only = ON")
            own.row_factory = _as_dict
            _check_ours(own, path)
            if own.execute("PRAGMA quick_check(1)").fetchone() != {"quick_check": "ok"}:
                raise SetupError(texts.db_damaged(path))
            yield own
    except sqlite3.DatabaseError as error:
        raise SetupError(_why_not(error, path)) from error


def copy(path: Path | str, target: Path | str) -> None:
    """Copy the database at path into a file, whole and consistent while others write.

    An older copy under that name stays until the new one is complete. SetupError if there is nothing to copy, or
    no room for it.
    """
    path, target = Path(path), Path(target)
    with inspected(path):
        if target.exists() and target.samefile(path):
            raise SetupError(texts.backup_onto_itself(target))
    part = target.with_name(f"{target.name}.part")
    try:
        with closing(_connect(path)) as source, closing(sqlite3.connect(part, isolation_level=None)) as made:
            source.backup(made)  # in one step: a bot that writes meanwhile would make a slower copy begin anew
            made.execute("PRAGMA journal_mode = DELETE")  # one file, without a companion
        with inspected(part):
            pass
        part.replace(target)
    except (sqlite3.DatabaseError, OSError) as error:
        part.unlink(missing_ok=True)
        raise SetupError(texts.backup_failed(target)) from error
