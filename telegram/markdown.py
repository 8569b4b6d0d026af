"""Split long texts into messages: at the ends of blocks, lines and words, each part valid Markdown by itself."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from telegram.limits import MAX_RICH_BLOCKS
from telegram.markdown_writer import write, write_unescaped
from telegram.model_markdown import Block, Span, parse, plain_paragraphs
from unicode_text import truncate_utf16, utf16_length

INDENT = 12  # units by which a line may grow in a list or a quote
SPLIT_SPAN_LENGTH = 500  # a paragraph that is too long is split between words at most this far apart


def split_plain(text: str, limit: int) -> Iterator[str]:
    """Split a text into parts of at most `limit` UTF-16 units, at the end of a line or a word if one is near.

    White space around the parts is dropped: Telegram trims it, and rejects a blank message.
    """
    text = text.strip()
    while text:
        part = truncate_utf16(text, limit)
        if len(part) < len(text) and text[len(part)] != "\n":
            part = part[: _last_break(text[: len(part) + 1])]
        text = text[len(part) :].strip()
        yield part.rstrip()


def _last_break(text: str) -> int:
    """Return where the last line of a text starts, or its last word if that line is long; its end if neither."""
    line = text.rfind("\n", 1)
    word = max(line, text.rfind(" ", 1))
    position = line if line > len(text) // 2 else word
    return position if position > 0 else len(text)


def plain_text(markdown: str) -> str:
    """Return the Markdown of split_markdown() without escapes: a server that refuses it shows every sign."""
    return write_unescaped(parse(markdown, is_from_model=False))


@dataclass(frozen=True)
class _WrittenBlock:
    """A block that fits into a message, as Markdown."""

    text: str
    size: int  # in UTF-16 units, with the blank line after it
    count: int  # of the blocks in it, itself included
    is_heading: bool


def split_markdown(text: str, limit: int, footer: str = "") -> list[str]:
    """Return the messages for the Markdown of a model and a plain footer, each of at most `limit` UTF-16 units."""
    blocks = parse(text)
    if footer:
        blocks += plain_paragraphs(footer)
    written_blocks = [
        _WrittenBlock(markdown, utf16_length(markdown) + 2, _count(fitting), fitting.kind == "heading")
        for block in blocks
        for fitting in _fit(block, limit)
        if (markdown := write(fitting))
    ]
    return ["\n\n".join(block.text for block in part) for part in _pack(written_blocks, limit)]


def _pack(blocks: Iterable[_WrittenBlock], limit: int) -> Iterator[list[_WrittenBlock]]:
    """Yield the blocks of each message; a heading goes into the message of the block after it."""
    part: list[_WrittenBlock] = []
    size = count = 0
    for block in blocks:
        if part and (size + block.size > limit + 2 or count + block.count > MAX_RICH_BLOCKS):
            end = len(part)
            while end > 0 and part[end - 1].is_heading:
                end -= 1
            if end == 0 or sum(other.size for other in [*part[end:], block]) > limit + 2:
                end = len(part)
            yield part[:end]
            part = part[end:]
            size, count = sum(other.size for other in part), sum(other.count for other in part)
        part.append(block)
        size += block.size
        count += block.count
    if part:
        yield part


def _count(block: Block) -> int:
    """Return the number of blocks in a block, itself and the rows and two sections of a table included."""
    return 1 + sum(map(_count, block.children)) + (len(block.rows) + 2 if block.rows else 0)


def _fits(block: Block, limit: int) -> bool:
    return utf16_length(write(block)) <= limit and _count(block) <= MAX_RICH_BLOCKS


def _fit(block: Block, limit: int) -> Iterator[Block]:
    """Yield a block in parts that fit into one message each."""
    if _fits(block, limit):
        yield block
    elif block.kind in ("paragraph", "heading"):
        yield from (replace(block, spans=spans) for spans in _split_spans(block.spans, limit))
    elif block.kind in ("code", "formula"):
        yield from _fit_code(block, limit)
    elif block.kind == "table":
        yield from _fit_table(block, limit)
    elif block.kind == "list":
        yield from _fit_list(block, limit)
    else:
        parts = [part for child in block.children for part in _fit(child, limit // 2)]
        for group in _groups(parts, limit):
            yield replace(block, children=group)


def _fit_list(block: Block, limit: int) -> Iterator[Block]:
    """Yield a list in parts; the rest of an item that is too long goes on without its number."""
    number = block.start
    for group in _groups(block.children, limit):
        part = replace(block, children=group, start=number)
        number += len(group)
        if len(group) > 1 or _fits(part, limit):
            yield part
            continue
        blocks = [fitting for child in group[0].children for fitting in _fit(child, limit // 2)]
        first, *others = blocks
        yield replace(part, children=[Block("item", children=[first])])
        yield from others


def _fit_table(block: Block, limit: int) -> Iterator[Block]:
    """Yield a table in parts that repeat the head; as paragraphs if a row is too long."""
    head, *rows = block.rows
    sizes = [utf16_length(write(replace(block, rows=[head, row]))) for row in rows]
    if not rows or max(sizes) > limit:
        for row in block.rows:
            for cell in row:
                yield from _fit(Block("paragraph", cell), limit)
        return
    head_size = utf16_length(write(replace(block, rows=[head]))) + 1
    part, part_size = [head], head_size
    for row, size in zip(rows, sizes, strict=True):
        if part_size + size > limit or len(part) + 4 > MAX_RICH_BLOCKS:
            yield replace(block, rows=part)
            part, part_size = [head], head_size
        part.append(row)
        part_size += size
    yield replace(block, rows=part)


def _fit_code(block: Block, limit: int) -> Iterator[Block]:
    """Yield code in parts of whole lines, unless a line is too long."""
    backticks = max(map(len, re.findall("`+", block.text)), default=0)
    # Around a part stand as many backticks as in it and one more.
    room = limit - 2 * max(backticks + 1, 3) - len(block.style) - 2 if backticks < limit // 8 else limit // 4
    lines = [part for line in block.text.split("\n") for part in _chunks(line, max(room // 2, 2))]
    part: list[str] = []
    size = 0
    for line in lines:
        length = utf16_length(line) + 1
        if part and size + length > room:
            yield Block("code", text="\n".join(part), style=block.style)
            part, size = [], 0
        part.append(line)
        size += length
    yield Block("code", text="\n".join(part), style=block.style)


def _chunks(text: str, limit: int) -> Iterator[str]:
    """Yield a text in parts of at most `limit` UTF-16 units, split after a space if one is near."""
    while utf16_length(text) > limit:
        part = truncate_utf16(text, limit)
        space = part.rfind(" ") + 1
        part = part[:space] if space > len(part) // 2 else part
        yield part
        text = text[len(part) :]
    yield text


def _split_spans(spans: Sequence[Span], limit: int) -> Iterator[Sequence[Span]]:
    """Yield a paragraph in parts that fit; a mark that is open where it is split ends there and starts again."""
    part: list[Span] = []
    open_spans: list[Span] = []
    size = 0
    for span in _short_spans(spans, limit):
        length = utf16_length(write(Block("paragraph", [span]))) + utf16_length(span.end) + 2
        if size + length > limit and part:
            if part[-1].kind == "text":  # a mark does not end after a space
                part[-1] = Span("text", part[-1].text.rstrip())
            yield [*part, *(Span("close", start.end) for start in reversed(open_spans))]
            part = list(open_spans)
            size = sum(utf16_length(start.text + start.end) + 2 for start in open_spans)
        part.append(span)
        size += length
        if span.kind == "open":
            open_spans.append(span)
        elif span.kind == "close":
            open_spans.pop()
    if part:
        yield part


def _short_spans(spans: Sequence[Span], limit: int) -> Iterator[Span]:
    """Yield spans with long texts split at spaces, and other spans that are too long as text."""
    for span in spans:
        if span.kind == "text" or (span.kind in ("code", "formula") and utf16_length(span.text) > limit // 4):
            for chunk in _chunks(span.text, max(min(SPLIT_SPAN_LENGTH, limit // 8), 2)):
                yield Span("code" if span.kind == "code" else "text", chunk)
        else:
            yield span


def _groups(blocks: Sequence[Block], limit: int) -> Iterator[list[Block]]:
    """Yield as many blocks at once as fit into one list or quote."""
    group: list[Block] = []
    size = count = 1
    for block in blocks:
        written = write(Block("quote", children=block.children)) if block.kind == "item" else write(block)
        block_size = utf16_length(written) + INDENT * (written.count("\n") + 2)
        if group and (size + block_size > limit or count + _count(block) > MAX_RICH_BLOCKS):
            yield group
            group, size, count = [], 1, 1
        group.append(block)
        size += block_size
        count += _count(block)
    if group:
        yield group
