"""Write blocks as the Markdown that Telegram reads: what is text in a block stays text there."""

import re
from collections.abc import Iterator, Sequence

from telegram.model_markdown import Block, Span

ESCAPED = re.compile(r"[\\`*\[\]$|~^]|={2,}|(?<![^\W_])_|_(?![^\W_])")  # a _ inside a word has no meaning
ENTITY = re.compile(r"&(?=#?\w+;)")
# What means something at the start of a line only: a heading, a quote, a list, a line under a heading or a table.
LINE_START = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=#|>|=|[+-](?:[\s-]|$)|:-))", re.MULTILINE)
TRAILING_SIGNS = re.compile(r"(?<!\\)(#+)$")  # which Markdown drops at the end of a heading
CHECKBOX = re.compile(r"^\\\[([ xX])\\\](?= )")  # at the start of a list item


def write(block: Block) -> str:
    """Return a block as Markdown, "" for a block without content."""
    return _Writer(is_escaped=True).write(block)


def write_unescaped(blocks: Sequence[Block]) -> str:
    """Return blocks with the signs of Markdown, but without escapes: for people who get it as plain text."""
    return _Writer(is_escaped=False).join(blocks)


class _Writer:
    def __init__(self, *, is_escaped: bool) -> None:
        self._is_escaped = is_escaped

    def join(self, blocks: Sequence[Block]) -> str:
        return "\n\n".join(filter(None, map(self.write, blocks)))

    def write(self, block: Block) -> str:
        if block.kind == "paragraph":
            return self._write_spans(block.spans)
        if block.kind == "heading":
            text = self._write_spans(block.spans).replace("\\\n", " ").replace("\n", " ")
            if self._is_escaped:
                text = TRAILING_SIGNS.sub(r"\\\1", text)
            return f"{block.style} {text}" if text else ""
        if block.kind == "code":
            marks = _marks(block.text, 3)
            return f"{marks}{block.style}\n{block.text}\n{marks}"
        if block.kind == "formula":
            separator = "\n" if "\n" in block.text else ""
            return f"$${separator}{block.text}{separator}$$"
        if block.kind == "table":
            return "\n".join(self._table_lines(block))
        if block.kind == "quote":
            return _indent(self.join(block.children), "> ", "> ")
        if block.kind == "list":
            return self._write_list(block)
        return "***"

    def _write_list(self, block: Block) -> str:
        items = []
        for number, item in enumerate(block.children, block.start):
            marker = f"{number}{block.style}" if block.style else "-"
            content = CHECKBOX.sub(r"[\1]", self._write_item(item, is_tight=block.is_tight))
            items.append(_indent(content, f"{marker} ", " " * (len(marker) + 1)) if content else marker)
        return ("\n" if block.is_tight else "\n\n").join(items)

    def _write_item(self, item: Block, *, is_tight: bool) -> str:
        content = ""
        for child in item.children:
            text = self.write(child)
            # Only these need no blank line after a paragraph.
            is_next_line = is_tight and (child.kind == "code" or (child.kind == "list" and child.start == 1))
            if text:
                separator = "\n" if is_next_line else "\n\n"
                content += separator + text if content else text
        return content

    def _table_lines(self, block: Block) -> Iterator[str]:
        for number, row in enumerate(block.rows):
            cells = (self._write_spans(cell, is_cell=True).replace("\n", " ") for cell in row)
            yield f"| {' | '.join(cells)} |"
            if number == 0:
                yield f"| {' | '.join(block.columns)} |"

    def _write_spans(self, spans: Sequence[Span], *, is_cell: bool = False) -> str:
        text = ""
        for span in spans:
            if span.kind == "text":
                text += self._escape(
                    re.sub(r"\s", lambda match: " " if match[0] in "\n\r\t" else match[0], span.text)
                )
            elif span.kind == "code":
                text += _inline_code(span.text.replace("|", "\\|") if is_cell else span.text)
            elif span.kind == "formula":
                formula = span.text.replace("|", "\\vert ").strip() if is_cell else span.text
                text += f"{span.end}{formula}{span.end}"
            elif span.kind == "break":
                text += "\n"
            else:
                if span.text == "[" and text.endswith("!"):
                    text = f"{text[:-1]}&#33;"  # "!" and a link would be an image
                text += span.text
        lines = [line.strip(" \t") for line in text.split("\n")]
        text = "\n".join(filter(None, lines))
        return LINE_START.sub(r"\1\\", text) if self._is_escaped and not is_cell else text

    def _escape(self, text: str) -> str:
        if not self._is_escaped:
            return text
        text = ENTITY.sub("&amp;", text)
        text = ESCAPED.sub(lambda match: "".join(f"\\{sign}" for sign in match[0]), text)
        return text.replace("<", "&lt;")


def _marks(content: str, least: int) -> str:
    """Return the backticks that enclose a code: more than it contains in a row."""
    longest = max(map(len, re.findall("`+", content)), default=0)
    return "`" * max(least, longest + 1)


def _inline_code(content: str) -> str:
    if not content.strip():
        return content
    marks = _marks(content, 1)
    padding = " " if content[0] in "` " or content[-1] in "` " else ""
    return f"{marks}{padding}{content}{padding}{marks}"


def _indent(text: str, first: str, rest: str) -> str:
    """Put `first` before the first line and `rest` before the others, without spaces in a blank line."""
    if not text:
        return ""
    head, *others = text.split("\n")
    return "\n".join([first + head, *(rest + line if line else rest.rstrip(" ") for line in others)])
