"""Split long texts into messages: at paragraph ends, with code blocks closed and reopened."""

import re
from collections.abc import Iterator

from unicode_text import truncate_utf16, utf16_length

# The upper bounds keep a reopened fence short enough for any part. Backticks after the marks mean inline code.
FENCE = re.compile(r" {0,3}(`{3,60}|~{3,60})([^`]{0,100})")


def split_plain(text: str, limit: int) -> Iterator[str]:
    """Split a text into parts of at most `limit` UTF-16 units, at the end of a line if possible.

    White space around the parts is dropped: Telegram trims it, and rejects a blank message.
    """
    text = text.strip()
    while text:
        part = truncate_utf16(text, limit)
        if len(part) < len(text) and "\n" in part[1:]:
            part = part[: part.rindex("\n")]
        text = text[len(part) :].strip()
        yield part


def split_markdown(text: str, limit: int) -> Iterator[str]:
    """Split Markdown into parts of at most `limit` UTF-16 units, each valid Markdown by itself.

    A part ends at the end of a paragraph, or at the end of a line inside a code block and inside a paragraph
    longer than half a part. A code block that is split is closed, and reopened in the next part.
    """
    part = ""
    part_length = 0  # in UTF-16 units; measuring the whole part again for every block would take seconds
    fence = ""  # the line that opened the current code block
    for block in _split_blocks(text, limit // 2):
        fence_before = fence
        fence = _fence_after(block, fence_before)
        if part and part_length + utf16_length(block + _closing(fence)) > limit:
            yield part.strip("\n") + _closing(fence_before)
            part = f"{fence_before}\n" if fence_before else ""
            part_length = utf16_length(part)
        if part or block.strip():  # no part starts with blank lines
            part += block
            part_length += utf16_length(block)
    if part.strip():
        yield part.strip("\n")


def _split_blocks(text: str, limit: int) -> Iterator[str]:
    """Yield whole paragraphs, but code and paragraphs longer than the limit line by line."""
    fence, paragraph = "", ""
    for line in re.split(r"(?<=\n)", text):
        fence_before = fence
        fence = _fence_after(line, fence_before)
        if fence_before or fence:
            if paragraph:
                yield paragraph
                paragraph = ""
            yield from _split_line(line, limit)
            continue
        if utf16_length(paragraph + line) > limit:
            if paragraph:
                yield paragraph
            *full_blocks, paragraph = _split_line(line, limit)
            yield from full_blocks
        else:
            paragraph += line
        if not line.strip() and paragraph:
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph


def _split_line(line: str, limit: int) -> Iterator[str]:
    """Yield a line in parts of at most `limit` UTF-16 units."""
    while utf16_length(line) > limit:
        part = truncate_utf16(line, limit)
        yield part
        line = line[len(part) :]
    yield line


def _fence_after(lines: str, fence: str) -> str:
    """Return the line that opened the code block in which these lines end, "" outside of code.

    `fence` is the same for the text before these lines.
    """
    for line in lines.split("\n"):
        match = FENCE.fullmatch(line.rstrip())
        if match is None:
            continue
        if not fence:
            fence = line.strip()
        elif match[1].startswith(_fence_marks(fence)) and not match[2].strip():
            fence = ""
    return fence


def _fence_marks(fence: str) -> str:
    """Return the backticks or tildes of the line that opened a code block."""
    match = FENCE.fullmatch(fence)
    return match[1] if match else ""


def _closing(fence: str) -> str:
    """Return what closes the code block that a line opened, "" outside of code."""
    return f"\n{_fence_marks(fence)}" if fence else ""
