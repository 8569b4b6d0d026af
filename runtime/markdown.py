"""Cutting an answer into messages: at the borders of paragraphs, code fences closed and opened again."""

import re
from collections.abc import Iterator

# One that is longer than this could not be opened again in every part; and `code` in a line is no fence.
FENCE = re.compile(r" {0,3}(`{3,60}|~{3,60})([^`]{0,100})")


def units(text: str) -> int:
    """Count a text in UTF-16 units, as Telegram does."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def head(text: str, limit: int) -> str:
    """Return as much of the text's beginning as fits into so many UTF-16 units."""
    if len(text) * 2 <= limit:
        return text
    return text.encode("utf-16-le", "replace")[: limit * 2].decode("utf-16-le", "ignore")


def split_plain(text: str, limit: int) -> Iterator[str]:
    """Cut a text into parts of at most limit UTF-16 units, at the end of a line where there is one.

    Telegram refuses a blank part and trims the others, so nothing but white space at their edges is dropped.
    """
    while text := text.strip():
        part = head(text, limit)
        if len(part) < len(text) and "\n" in part[1:]:
            part = part[: part.rindex("\n")]
        text = text[len(part) :]
        if part.strip():
            yield part


def split_markdown(text: str, limit: int) -> Iterator[str]:
    """Cut Markdown into parts of at most limit UTF-16 units that are good Markdown each.

    A part ends where a paragraph does; within a code fence, or a paragraph longer than half a part, at the end
    of a line. A fence that is cut is closed, and opened again in the next part.
    """
    part, size, fence = "", 0, ""  # the size is in units: to count them anew for every line takes seconds
    for block in _blocks(text, limit // 2):
        opened = fence
        fence = _fence_after(block, fence)
        closing = f"\n{_marks(fence)}" if fence else ""
        if part and size + units(block + closing) > limit:
            yield part.strip("\n") + (f"\n{_marks(opened)}" if opened else "")
            part = f"{opened}\n" if opened else ""
            size = units(part)
        if part or block.strip():  # no part begins with blank lines
            part += block
            size += units(block)
    if part.strip():
        yield part.strip("\n")


def _blocks(text: str, limit: int) -> Iterator[str]:
    """Yield paragraphs; of those longer than the limit, and of code, the lines; of longer lines, pieces."""
    fence, paragraph = "", ""
    for line in re.split(r"(?<=\n)", text):
        was_code, fence = fence, _fence_after(line, fence)
        if was_code or fence:
            if paragraph:
                yield paragraph
                paragraph = ""
            yield from _pieces(line, limit)
            continue
        if units(paragraph + line) > limit:
            if paragraph:
                yield paragraph
            *long, paragraph = _pieces(line, limit)
            yield from long
        else:
            paragraph += line
        if not line.strip() and paragraph:
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph


def _pieces(line: str, limit: int) -> Iterator[str]:
    while units(line) > limit:
        piece = head(line, limit)
        yield piece
        line = line[len(piece) :]
    yield line


def _fence_after(lines: str, fence: str) -> str:
    """Return the line that opened the code fence which is open after these lines; "" if none is."""
    for line in lines.split("\n"):
        match = FENCE.fullmatch(line.rstrip())
        if match is None:
            continue
        if not fence:
            fence = line.strip()
        elif match[1].startswith(_marks(fence)) and not match[2].strip():
            fence = ""
    return fence


def _marks(fence: str) -> str:
    """Return the marks alone of the line that opened a fence."""
    match = FENCE.fullmatch(fence)
    return match[1] if match else ""
