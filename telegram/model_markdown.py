"""Parse the Markdown of a language model into blocks that are safe to send.

What a model writes is not trusted: a note may have told it what to write. Telegram would fetch images, and turn
HTML into media and buttons. So the text is parsed, and telegram/markdown_writer.py writes only the constructs that
Block and Span can express. Everything else is text, HTML included; an image becomes a link.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode

MAX_CONTAINER_DEPTH = 7  # of lists and quotes; Telegram accepts 16 levels, and a list counts as two
MAX_MARK_DEPTH = 5  # of bold, italic, … in each other
MAX_COLUMNS = 20
MAX_PARSED_NESTING = 40  # the library drops what is nested deeper
MAX_FORMULA_LINES = 50

LINK = re.compile(r"(https?://|mailto:)[^\s]+", re.IGNORECASE)
LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
FORMULA_ENDS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
DOUBLE_DOLLARS = re.compile(r"(?<!\$)\$\$([^$]+)\$\$(?!\$)")
DOLLARS = re.compile(r"(?<![\w$\\])\$(?!\s)([^$\n]*[^\s$\\])\$(?![\w$])")
# What starts with a digit is a formula, and no amount of money, if it has one of these signs and no word.
FORMULA_SIGN = re.compile(r"[\\^_={}]")
WORD = re.compile(r"(?<!\\)\b[^\W\d_]{3,}")


@dataclass(frozen=True)
class Span:
    """A part of a line: a text, code, a formula, a line break, or the start or the end of a mark or a link."""

    kind: str  # "text", "code", "formula", "break", "open" or "close"
    text: str = ""  # of a start or an end: what is written there
    end: str = ""  # of a start: what is written at its end; of a formula: the dollar signs around it


@dataclass(frozen=True)
class Block:
    """A block of a message."""

    kind: str  # "paragraph", "heading", "code", "formula", "rule", "table", "quote", "list" or "item"
    spans: Sequence[Span] = ()  # of a paragraph or a heading
    text: str = ""  # of code or a formula
    style: str = ""  # the signs of a heading, the language of code, the sign after the number of a list ("": none)
    children: Sequence["Block"] = ()  # of a quote, a list or an item
    rows: Sequence[Sequence[Sequence[Span]]] = ()  # of a table: rows of cells
    columns: Sequence[str] = ()  # of a table: "---", ":--", ":-:" or "--:"
    start: int = 1  # of a numbered list
    is_tight: bool = False  # of a list: without blank lines between the items


def parse(text: str, *, is_from_model: bool = True) -> list[Block]:
    """Return the blocks of a text; a text that is nested too deeply is taken as plain text.

    Only a model writes formulas as \\(…\\) and \\[…\\]. For Telegram, \\[ is an escaped bracket.
    """
    try:
        tokens = _parser.parse(text, {"has_bracket_formulas": is_from_model})
    except RecursionError:
        return plain_paragraphs(text)
    if any(token.level >= MAX_PARSED_NESTING - 2 for token in tokens):
        return plain_paragraphs(text)
    return list(_blocks(SyntaxTreeNode(tokens).children, 0))


def plain_paragraphs(text: str) -> list[Block]:
    """Return the paragraphs of a text without formatting."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text):
        spans = [span for line in paragraph.split("\n") for span in (Span("break"), Span("text", line))]
        paragraphs.append(Block("paragraph", spans[1:]))
    return paragraphs


def _blocks(nodes: Sequence[SyntaxTreeNode], depth: int) -> Iterator[Block]:
    """Yield the blocks of nodes that are `depth` lists and quotes deep."""
    for node in nodes:
        if node.type in ("blockquote", "bullet_list", "ordered_list"):
            yield from _container(node, depth)
        elif node.type in ("paragraph", "heading"):
            style = node.markup if node.type == "heading" else ""
            style = {"=": "#", "-": "##"}.get(style, style)
            yield Block(node.type, _inline_spans(node), style=style)
        elif node.type in ("fence", "code_block"):
            language = LANGUAGE.match(node.info.strip())
            yield Block("code", text=node.content.removesuffix("\n"), style=language[0] if language else "")
        elif node.type == "formula_block":
            yield _formula_block(node.content)
        elif node.type == "hr":
            yield Block("rule")
        elif node.type == "table":
            yield _table(node)


def _container(node: SyntaxTreeNode, depth: int) -> Iterator[Block]:
    """Yield a quote or a list; only its content if it is too deep."""
    if depth >= MAX_CONTAINER_DEPTH:
        for child in node.children:
            yield from _blocks(child.children if child.type == "list_item" else [child], depth)
    elif node.type == "blockquote":
        yield Block("quote", children=list(_blocks(node.children, depth + 1)))
    else:
        items = [Block("item", children=list(_blocks(item.children, depth + 1))) for item in node.children]
        style = node.markup if node.type == "ordered_list" else ""
        is_tight = any(child.hidden for item in node.children for child in item.children)
        start = int(node.attrGet("start") or 0) if "start" in node.attrs else 1
        yield Block("list", children=items, style=style, start=start, is_tight=is_tight)


def _table(node: SyntaxTreeNode) -> Block:
    """Return a table; as code if it has too many columns."""
    rows = [row for section in node.children for row in section.children]
    cells = [[_inline_spans(cell) for cell in row.children] for row in rows]
    if len(cells[0]) > MAX_COLUMNS:
        lines = [" | ".join("".join(span.text for span in _visible(cell)) for cell in row) for row in cells]
        return Block("code", text="\n".join(lines))
    signs = {"text-align:left": ":--", "text-align:center": ":-:", "text-align:right": "--:"}
    columns = [signs.get(str(cell.attrGet("style")), "---") for cell in rows[0].children]
    return Block("table", rows=cells, columns=columns)


def _visible(spans: Sequence[Span]) -> Iterator[Span]:
    return (span for span in spans if span.kind not in ("open", "close"))


def _inline_spans(node: SyntaxTreeNode) -> list[Span]:
    """Return the spans of a paragraph, a heading or a cell."""
    inline = node.children[0] if node.children else None
    return list(_spans(inline.children, 0)) if inline else []


def _spans(nodes: Sequence[SyntaxTreeNode], depth: int, *, is_in_link: bool = False) -> Iterator[Span]:
    """Return the spans of nodes inside of this many marks; a link in a link, or to nothing, as its text."""
    for node in nodes:
        if node.type in ("softbreak", "hardbreak"):
            yield Span("break")
        elif node.type == "code_inline":
            yield Span("code", node.content)
        elif node.type == "formula":
            yield _formula_span(node.content, node.markup)
        elif node.type == "link" and node.attrs["href"] and not is_in_link:
            label = list(_spans(node.children, depth, is_in_link=True))
            if any(span.text.strip() for span in _visible(label)):  # nobody sees a link without a text
                yield from _marked("[", f"]({_safe_url(str(node.attrs['href']))})", iter(label))
        elif node.type == "image":
            url = _safe_url(str(node.attrs["src"]))
            description = "".join(span.text or " " for span in _visible(list(_spans(node.children, depth))))
            text = iter([Span("text", description.strip() or url)])
            yield from _marked("[", f"]({url})", text) if url and not is_in_link else text
        elif node.type in ("em", "strong", "s") and depth < MAX_MARK_DEPTH:
            spans = _spans(node.children, depth + 1, is_in_link=is_in_link)
            yield from _marked(node.markup, node.markup, spans)
        elif node.children:
            yield from _spans(node.children, depth, is_in_link=is_in_link)
        else:
            yield Span("text", node.content)


def _marked(start: str, end: str, spans: Iterator[Span]) -> Iterator[Span]:
    yield Span("open", start, end)
    yield from spans
    yield Span("close", end)


def _safe_url(url: str) -> str:
    """Encode what could end a link, or mean something else inside of it."""
    return re.sub(r"[()<>\[\]$|\\`*!^~\s]", lambda match: f"%{ord(match[0]):02X}", url).replace("&", "&amp;")


# Formulas: \(…\), \[…\], $…$ and $$…$$


def _safe_formula(content: str) -> str | None:
    """Return a formula in which nothing can be taken for Markdown or HTML; None if that is impossible."""
    content = re.sub(r"\s*\n\s*", "\n", content.strip())
    if not content or re.search(r"`|\]\(|\$|\\$", content):
        return None
    return content.replace("<", "\\lt ").replace(">", "\\gt ").strip()


def _formula_span(content: str, marks: str) -> Span:
    content = content.replace("\n", " ")  # the signs of a code at the start of a line would begin a block
    formula = _safe_formula(content)
    return Span("code", content) if formula is None else Span("formula", formula, marks)


def _formula_block(content: str) -> Block:
    formula = _safe_formula(content)
    return Block("code", text=content) if formula is None else Block("formula", text=formula)


def _inline_formula(state: StateInline, silent: bool) -> bool:
    """Parse a formula within a line; a rule of the library."""
    opening = state.src[state.pos : state.pos + 2]
    if opening.startswith("$"):
        match = _match_dollars(state)
        content = match[1] if match else ""
        length = len(match[0]) if match else 0
    elif opening in FORMULA_ENDS and state.env["has_bracket_formulas"]:
        end = state.src.find(FORMULA_ENDS[opening], state.pos + 2, state.posMax)
        content = state.src[state.pos + 2 : end] if end >= 0 else ""
        length = len(content) + 4
    else:
        return False
    if not _is_formula(content, is_in_dollars=not opening.startswith("\\")):
        return False
    if not silent:
        token = state.push("formula", "", 0)
        token.content, token.markup = content, "$$" if opening in ("\\[", "$$") else "$"
    state.pos += length
    return True


def _match_dollars(state: StateInline) -> re.Match[str] | None:
    end = state.posMax
    return DOUBLE_DOLLARS.match(state.src, state.pos, end) or DOLLARS.match(state.src, state.pos, end)


def _is_formula(content: str, *, is_in_dollars: bool) -> bool:
    """Return whether a text between the signs of a formula is one; between dollar signs it may be about money."""
    content = content.strip()
    if not content or not is_in_dollars:
        return bool(content)
    is_amount = content[0].isdigit() and (not FORMULA_SIGN.search(content) or bool(WORD.search(content)))
    return "$" not in content and not is_amount


def _block_formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a formula on lines of its own; a rule of the library."""
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    closing = FORMULA_ENDS.get(first[:2], "") if first[:2] != "\\(" else ""
    if closing == "\\]" and not state.env["has_bracket_formulas"]:
        return False
    if not closing or state.src.find(closing, state.bMarks[start] + state.tShift[start] + 2) < 0:
        return False
    lines: list[str] = []
    for number in range(start, min(end, start + MAX_FORMULA_LINES)):
        if number > start and state.sCount[number] < state.blkIndent:
            return False
        line = _line(state, number)
        lines.append(line[2:] if number == start else line)
        if closing in lines[-1]:
            break
    else:
        return False
    if not lines[-1].endswith(closing) or lines[-1].count(closing) > 1:
        return False
    content = "\n".join([*lines[:-1], lines[-1].removesuffix(closing)])
    if not _is_formula(content, is_in_dollars=closing == "$$"):
        return False
    if not silent:
        token = state.push("formula_block", "", 0)
        token.content, token.map = content, [start, number + 1]
        state.line = number + 1
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].strip()


def _is_link(url: str) -> bool:
    return bool(LINK.fullmatch(url))


def _build_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_PARSED_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "formula", _inline_formula)
    interrupted = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", "formula_block", _block_formula, {"alt": interrupted})
    parser.validateLink = _is_link  # type: ignore[method-assign]
    return parser


_parser = _build_parser()
