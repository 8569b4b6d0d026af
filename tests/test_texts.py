"""texts: the plural helper."""

import pytest

import texts


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 заметок"),
        (1, "1 заметка"),
        (2, "2 заметки"),
        (4, "4 заметки"),
        (5, "5 заметок"),
        (11, "11 заметок"),
        (12, "12 заметок"),
        (14, "14 заметок"),
        (21, "21 заметка"),
        (22, "22 заметки"),
        (100, "100 заметок"),
        (101, "101 заметка"),
        (111, "111 заметок"),
        (112, "112 заметок"),
    ],
)
def test_plural(number: int, expected: str) -> None:
    assert texts.notes(number) == expected
