"""The SQLite database: opening, upgrades, one connection per thread, transactions, and copies.

This module knows no table. schema.sql defines the tables; db.py and journal.py contain the statements about them.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import texts
import words
from config import SetupError
from unicode_text import fold

log = logging.getLogger(__name__)

Parameters = Sequence[Any] | Mapping[str, Any]  # for `?` and for `:name` in a statement

APPLICATION_ID = 0x6E6F7465  # "note" in ASCII: the mark of our databases in the header of the file
SCHEMA = Path(__file__).with_name("schema.sql")

# schema.sql creates a new database in the newest version. migrations/N.sql upgrades an older one to version N from
# the version before it.
MIGRATIONS = SCHEMA.with_name("migrations")
SCHEMA_VERSION = 3

# While somebody reads for long, the write-ahead log only grows; afterwards SQLite truncates it to this size.
MAX_IDLE_WAL_BYTES = 16 * 2**20

LOCK_TIMEOUT_S = 5.0  # how long a statement waits for other processes
LOCK_CHECK_S = 0.01
PROGRESS_INSTRUCTIONS = 100_000  # of SQLite's virtual machine, between two looks at the clock
PROGRESS_INTERVAL_S = 5.0

STEP_S = 0.005  # of in_steps()
ROWS_IN_MEMORY = 10_000
STEPS_PER_CHECK = 50  # of SQLite's virtual machine, between two looks at the clock in interrupted_at()


class DatabaseUnavailable(SetupError):
    """The database cannot be opened now, but perhaps later: it is locked, or the disk is full or fails."""


class DatabaseReplaced(Exception):
    """Somebody has deleted or replaced the open database file: what is written now is lost."""


class DeadlinePassed(Exception):
    """A statement was interrupted, see interrupted_at()."""


class _ThreadState(threading.local):
    """The connection of a thread, and the callbacks that wait for its commit."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.path: Path | None = None
        self.commit_callbacks: list[Callable[[], None]] = []


_path: Path | None = None
_file_id: tuple[int, int] | None = None  # device and inode of the open file
_thread = _ThreadState()
_relaxed_connection: sqlite3.Connection | None = None
# All writers of this process wait for this lock. SQLite's own lock would also be safe, but a connection that finds
# it taken sleeps and tries again, which is slower and unfair.
_write_lock = threading.RLock()


# Opening -----------------------------------------------------------------------------------------------


def open(path: Path | str) -> None:
    """Create or upgrade the database at a path and use it from now on.

    SetupError if it cannot be used, DatabaseUnavailable if it perhaps can be used later.
    """
    global _path, _file_id
    close()
    path = Path(path)
    _create_private(path)
    try:
        with closing(_connect(path)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")  # a migration may replace a table that others refer to
            connection.execute("PRAGMA temp_store = FILE")  # and change more than the memory holds
            # Take the lock before looking: if two bots start at the same time, only one creates or upgrades.
            connection.execute("BEGIN IMMEDIATE")
            _check_identity(connection, path)
            _upgrade(connection)
            connection.execute("COMMIT")
            _use_write_ahead_log(connection)
    except sqlite3.DatabaseError as error:
        problem = _setup_problem(error, path)
        raise (DatabaseUnavailable if _is_temporary(error) else SetupError)(problem) from error
    _path, _file_id = path, _read_file_id(path)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; SQLite does not wait for a lock in this statement, so this function does."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.DatabaseError as error:
            if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(LOCK_CHECK_S)


def _create_private(path: Path) -> None:
    """Create a file that only its owner can read; SQLite gives -wal and -shm the same permissions.

    Windows has no such permissions: there the folder decides. If this fails, SQLite reports why.
    """
    with suppress(OSError):
        path.touch(mode=0o600, exist_ok=False)


def _check_file() -> None:
    if _read_file_id(_open_path()) != _file_id:
        raise DatabaseReplaced


def _read_file_id(path: Path) -> tuple[int, int] | None:
    """Return what identifies the file at a path; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def close() -> None:
    """Close the connection of this thread and the shared one; the next statement opens them again."""
    global _relaxed_connection
    close_thread()
    with _write_lock:
        if _relaxed_connection:
            _relaxed_connection.close()
            _relaxed_connection = None


def close_thread() -> None:
    """Close the connection of this thread; a thread calls this before it ends."""
    if _thread.connection:
        _thread.connection.close()
        _thread.connection = None


def _connect(path: Path, synchronous: str = "FULL") -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = _row_as_dict
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        # What a savepoint may have to restore: SQLite would write it to a file, dozens of pages for each note.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA journal_size_limit = {MAX_IDLE_WAL_BYTES}")
        # The triggers of schema.sql call these functions.
        connection.create_function("fold", 1, fold, deterministic=True)
        connection.create_function("word_keys", 1, words.word_keys, deterministic=True)
        connection.create_function("tags", 2, words.tags_as_json, deterministic=True)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _row_as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Raise SetupError for the database of another program or of a newer version; an empty one is fine."""
    if _pragma(connection, "application_id") != APPLICATION_ID:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise SetupError(texts.db_foreign(path))
    elif _pragma(connection, "user_version") > SCHEMA_VERSION:
        raise SetupError(texts.db_newer(path))


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring an empty or older database to SCHEMA_VERSION, inside the transaction of the caller."""
    version = _pragma(connection, "user_version")
    if version == 0:
        _run_scripts(connection, [SCHEMA])
    elif version < SCHEMA_VERSION:
        progress = _UpgradeProgress(version)
        connection.create_function("fold", 1, progress.fold, deterministic=True)
        connection.create_function("word_keys", 1, progress.word_keys, deterministic=True)
        connection.set_progress_handler(progress.report, PROGRESS_INSTRUCTIONS)
        _run_scripts(
            connection, [MIGRATIONS / f"{number}.sql" for number in range(version + 1, SCHEMA_VERSION + 1)]
        )
        connection.set_progress_handler(None, 0)
        progress.finish()
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _run_scripts(connection: sqlite3.Connection, scripts: list[Path]) -> None:
    for script in scripts:
        for statement in _split_statements(script.read_text(encoding="utf-8")):
            connection.execute(statement)


class _UpgradeProgress:
    """Logs how far an upgrade is: with a million notes it takes a minute or two."""

    def __init__(self, version: int) -> None:
        self._started_at = self._reported_at = time.monotonic()
        self._entries = 0
        log.info("upgrading the database from version %d to %d", version, SCHEMA_VERSION)

    def fold(self, text: str) -> str:
        """Do what fold() does, and count the entries of the search indexes: the longest part of an upgrade."""
        self._entries += 1
        return fold(text)

    def word_keys(self, text: str) -> str:
        """Do what words.word_keys() does, and count it as fold() does."""
        self._entries += 1
        return words.word_keys(text)

    def report(self) -> int:
        """Log the progress now and then; SQLite calls this again and again, and goes on after a 0."""
        now = time.monotonic()
        if now - self._reported_at >= PROGRESS_INTERVAL_S:
            self._reported_at = now
            log.info("upgrading the database: %d s, %d index entries", now - self._started_at, self._entries)
        return 0

    def finish(self) -> None:
        """Log that the upgrade is done."""
        log.info("the database is upgraded: %.1f s", time.monotonic() - self._started_at)


def _split_statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; executescript() would commit the open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[name])


def _setup_problem(error: sqlite3.DatabaseError, path: Path) -> str:
    """Return the sentence for the owner that explains why the database cannot be opened."""
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
    """Run a block as one transaction; a nested block is a savepoint, which can roll back alone."""
    own = connection()
    if own.in_transaction:
        with _savepoint(own):
            yield
        return
    with _write_lock:
        try:
            with _begin(own):
                yield
                _check_file()
            _check_file()  # again, as the commit may have gone to a file that has just been deleted
        except BaseException:
            _thread.commit_callbacks.clear()
            raise
        _call_back()  # before the next commit, so that callbacks come in the order of the commits


def _call_back() -> None:
    callbacks = _thread.commit_callbacks
    _thread.commit_callbacks = []
    for callback in callbacks:
        try:
            callback()
        except Exception:  # the transaction is committed, and the other callbacks belong to other work
            log.exception("a callback after a commit failed")


@contextmanager
def relaxed_connection() -> Iterator[sqlite3.Connection]:
    """Lend a connection that all threads share, one after another, and whose commits do not wait for the disk."""
    global _relaxed_connection
    with _write_lock:
        if not _relaxed_connection:
            _relaxed_connection = _connect(_open_path(), synchronous="NORMAL")
        yield _relaxed_connection


@contextmanager
def relaxed_transaction() -> Iterator[sqlite3.Connection]:
    """Run a block as one transaction on the shared connection.

    A power failure may undo the latest of these transactions, but damages nothing; a killed process loses none.
    """
    with relaxed_connection() as connection, _begin(connection):
        yield connection


@contextmanager
def _begin(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself has already rolled back when the disk is full
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    callbacks = len(_thread.commit_callbacks)
    connection.execute("SAVEPOINT nested")
    try:
        yield
    except BaseException:
        del _thread.commit_callbacks[callbacks:]
        if connection.in_transaction:
            connection.execute("ROLLBACK TO nested")
            connection.execute("RELEASE nested")
        raise
    connection.execute("RELEASE nested")


def on_commit(callback: Callable[[], None]) -> None:
    """Call back after the open transaction is committed, never if it rolls back; at once if there is none."""
    if connection().in_transaction:
        _thread.commit_callbacks.append(callback)
    else:
        callback()


def is_unavailable(error: BaseException) -> bool:
    """Return whether an error means that the database cannot be used now: locked, disk full, disk failure.

    Other database errors are mistakes in our code.
    """
    if isinstance(error, DatabaseReplaced):
        return True
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


def _is_temporary(error: sqlite3.DatabaseError) -> bool:
    """Return whether the same may succeed later without the owner."""
    return _primary_code(error) in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
    )


def _primary_code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the higher bits of an extended code are details


# Statements ----------------------------------------------------------------------------------------------


def connection() -> sqlite3.Connection:
    """Return the connection of this thread; RuntimeError before open()."""
    path = _open_path()
    if _thread.path is not path:
        close_thread()
    if not _thread.connection:
        _thread.connection = _connect(path)
        _thread.path = path
    return _thread.connection


def fetch_all(sql: str, parameters: Parameters = ()) -> list[Any]:
    """Return all rows of a query, each a dict."""
    return connection().execute(sql, parameters).fetchall()


def fetch_one(sql: str, parameters: Parameters = ()) -> Any:
    """Return the first row of a query as a dict, or None."""
    return connection().execute(sql, parameters).fetchone()


def execute(sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
    """Run a statement that writes, in the open transaction or in one of its own."""
    own = connection()
    if own.in_transaction:
        return own.execute(sql, parameters)
    with transaction():
        return own.execute(sql, parameters)


def in_steps(query: str, limit: int, *statements: str) -> Iterator[None]:
    """Run statements that delete the rows of a query; each step of the iterator takes about STEP_S.

    `limit` is the parameter of the query, and each row holds those of the statements. Others can write between two
    steps. A power failure may undo the latest steps.
    """
    while rows := fetch_all(f"{query} LIMIT {ROWS_IN_MEMORY}", (limit,)):
        rows.reverse()
        while rows:
            with relaxed_transaction() as shared:
                ends_at = time.monotonic() + STEP_S
                while rows and time.monotonic() < ends_at:
                    row = rows.pop()
                    for statement in statements:
                        shared.execute(statement, row)
            # Copy the log into the database here, where nobody waits for it, instead of in somebody's commit.
            connection().execute("PRAGMA wal_checkpoint(PASSIVE)")
            yield


@contextmanager
def interrupted_at(deadline: float) -> Iterator[None]:
    """Interrupt what this thread reads at a deadline on time.monotonic(), with DeadlinePassed.

    Not for statements that write: SQLite would roll back the whole transaction.
    """
    own = connection()
    own.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_PER_CHECK)
    try:
        yield
    except sqlite3.OperationalError as error:
        if _primary_code(error) == sqlite3.SQLITE_INTERRUPT:
            raise DeadlinePassed from error
        raise
    finally:
        own.set_progress_handler(None, 0)


def _open_path() -> Path:
    if _path is None:
        raise RuntimeError("open() has not been called")
    return _path


# Inspection and copies -----------------------------------------------------------------------------------


def size() -> int:
    """Return the size of the database in bytes, with its write-ahead log."""
    path = _open_path()
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def rows_ever_added(table: str) -> int:
    """Return how many rows a table with AUTOINCREMENT has ever had."""
    row = fetch_one("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
    return int(row["seq"]) if row else 0


@contextmanager
def open_read_only(path: Path | str) -> Iterator[sqlite3.Connection]:
    """Open a database that this process does not use; SetupError if it is missing, damaged, or not ours."""
    path = Path(path)
    try:
        path.stat()
    except FileNotFoundError:
        raise SetupError(texts.db_missing(path)) from None
    except OSError:
        raise SetupError(texts.db_unusable(path)) from None
    try:
        # mode=ro would leave -wal and -shm files behind, perhaps owned by another user than the bot's.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.row_factory = _row_as_dict
            _check_identity(connection, path)
            if connection.execute("PRAGMA quick_check(1)").fetchone() != {"quick_check": "ok"}:
                raise SetupError(texts.db_damaged(path))
            yield connection
    except sqlite3.DatabaseError as error:
        raise SetupError(_setup_problem(error, path)) from error


def copy(path: Path | str, target: Path | str) -> None:
    """Copy a database into a file; the copy is complete and consistent even while a bot writes.

    A file that exists at the target is replaced only when the copy is complete. SetupError if there is nothing to
    copy, or no room for the copy.
    """
    path, target = Path(path), Path(target)
    partial = Path(f"{target}.part")
    try:
        with open_read_only(path):
            for file in (target, partial):
                if file.exists() and file.samefile(path):
                    raise SetupError(texts.backup_onto_itself(file))
        partial.unlink(missing_ok=True)
        _create_private(partial)
        with closing(_connect(path)) as source, closing(sqlite3.connect(partial, isolation_level=None)) as copied:
            source.backup(copied)  # in one step: in several, each write of a running bot restarts the copy
            copied.execute("PRAGMA journal_mode = DELETE")  # a single file, without -wal and -shm
        with open_read_only(partial):
            pass
        partial.replace(target)
    except (sqlite3.DatabaseError, OSError) as error:
        with suppress(OSError):
            partial.unlink()
        raise SetupError(texts.backup_failed(target)) from error
