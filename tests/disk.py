"""Calls a function around every write, sync, truncation and deletion that SQLite makes in this process.

SQLite reaches the disk through a table of functions, its VFS (https://www.sqlite.org/vfs.html). install()
replaces four of them in the very library that the module sqlite3 uses, so the bot runs unchanged, with its own
SQLite, and nothing has to be compiled or installed. It works where the functions of that library can be found
by name: with the usual builds of Python on Linux and macOS.

The shared memory (-shm) is not intercepted: SQLite rebuilds it from the other files after a crash.
"""

import _sqlite3
import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

Pointer = ctypes.c_void_p


@dataclass(frozen=True)
class DiskCall:
    """One call that changes a file."""

    kind: str  # "write", "sync", "truncate" or "delete"
    path: str
    offset: int = 0  # of a write; of a truncation, the new size
    data: bytes = b""


# Called with each call as a context manager: entered before the call, left after it.
Observer = Callable[[DiskCall], AbstractContextManager[None]]

IO_METHODS = (
    *("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize", "xLock", "xUnlock", "xCheckReservedLock"),
    *("xFileControl", "xSectorSize", "xDeviceCharacteristics", "xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap"),
    *("xFetch", "xUnfetch"),
)


class _IoMethods(ctypes.Structure):
    """The functions of an open file: struct sqlite3_io_methods."""

    _fields_ = (("iVersion", ctypes.c_int), *((name, Pointer) for name in IO_METHODS))


class _File(ctypes.Structure):
    """An open file: struct sqlite3_file."""

    _fields_ = (("pMethods", ctypes.POINTER(_IoMethods)),)


class _Vfs(ctypes.Structure):
    """The functions of the operating system: the beginning of struct sqlite3_vfs."""

    _fields_ = (
        *(("iVersion", ctypes.c_int), ("szOsFile", ctypes.c_int), ("mxPathname", ctypes.c_int)),
        *((name, Pointer) for name in ("pNext", "zName", "pAppData", "xOpen", "xDelete")),
    )


# The name is no c_char_p: SQLite keeps the pointer to it, and more data behind it.
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Pointer, Pointer, ctypes.c_int, Pointer)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, ctypes.c_char_p, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Pointer, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, ctypes.c_int)

_kept: list[Any] = []  # what SQLite holds pointers to


def install(observe: Observer) -> None:
    """Observe the files that SQLite opens from now on in this process; temporary files without a name excepted."""
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None).contents
    really_open, really_delete = _OPEN(vfs.xOpen), _DELETE(vfs.xDelete)
    files = _Files(observe)

    def open_file(vfs_address: int, name: int | None, file: int, flags: int, flags_out: int) -> int:
        code: int = really_open(vfs_address, name, file, flags, flags_out)
        if code == 0 and name is not None:
            files.add(file, ctypes.string_at(name).decode())
        return code

    def delete(vfs_address: int, name: bytes, syncs_folder: int) -> int:
        with observe(DiskCall("delete", name.decode())):
            return int(really_delete(vfs_address, name, syncs_folder))

    vfs.xOpen, vfs.xDelete = (_keep(function) for function in (_OPEN(open_file), _DELETE(delete)))


def _keep(function: Any) -> int | None:
    _kept.append(function)
    return ctypes.cast(function, Pointer).value


class _Files:
    """The open files, and tables of their functions in which three are replaced."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe
        self._paths: dict[int, str] = {}  # by the address of the file
        self._tables: dict[int, _IoMethods] = {}  # by the address of the table that each replaces

    def add(self, file: int, path: str) -> None:
        opened = ctypes.cast(file, ctypes.POINTER(_File)).contents
        original = ctypes.addressof(opened.pMethods.contents)
        if original not in self._tables:
            self._tables[original] = self._table(opened.pMethods.contents)
        self._paths[file] = path
        opened.pMethods = ctypes.pointer(self._tables[original])

    def _table(self, original: _IoMethods) -> _IoMethods:
        really_write, really_truncate = _WRITE(original.xWrite), _TRUNCATE(original.xTruncate)
        really_sync = _SYNC(original.xSync)

        def write(file: int, data: int, size: int, offset: int) -> int:
            with self._observe(DiskCall("write", self._paths[file], offset, ctypes.string_at(data, size))):
                return int(really_write(file, data, size, offset))

        def truncate(file: int, size: int) -> int:
            with self._observe(DiskCall("truncate", self._paths[file], size)):
                return int(really_truncate(file, size))

        def sync(file: int, flags: int) -> int:
            with self._observe(DiskCall("sync", self._paths[file])):
                return int(really_sync(file, flags))

        table = _IoMethods.from_buffer_copy(original)
        table.xWrite, table.xTruncate, table.xSync = (
            _keep(function) for function in (_WRITE(write), _TRUNCATE(truncate), _SYNC(sync))
        )
        return table
