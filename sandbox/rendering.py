"""Markdown of a model as HTML that is safe within the page, whatever the model wrote.

Raw HTML is shown as text. Links lead to web pages or mail addresses only. A picture is shown as a link, so that
opening the chat does not send a request to another server.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LINK = re.compile(r"(https?://|mailto:)\S+", re.IGNORECASE)
NEW_TAB = {"target": "_blank", "rel": "noopener noreferrer"}
MAX_LANGUAGE_LENGTH = 20


def html(markdown: str) -> str:
    """Render Markdown as models write it: headings, lists, tables, fenced code."""
    return str(_markdown.render(markdown))


def is_link(url: str) -> bool:
    """Return whether a link may lead to this address; javascript:, data: and others may not."""
    return bool(LINK.fullmatch(url))


class _Renderer(RendererHTML):
    """The library's renderer with changes; the library looks up a method by the type of a token."""

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        tokens[index].attrs |= NEW_TAB
        return self.renderToken(tokens, index, options, env)

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        url = tokens[index].attrs["src"]
        link = Token("link", "a", 1, attrs={"href": url, **NEW_TAB})
        return f"{self.renderToken([link], 0, options, env)}🖼 {escape(tokens[index].content or str(url))}</a>"

    def th_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """Make an empty header an ordinary cell, as it names nothing."""
        if not tokens[index + 1].content:
            tokens[index].tag = tokens[index + 2].tag = "td"
        return self.td_open(tokens, index, options, env)

    def td_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """Align a column by a class, because the page's policy forbids style attributes."""
        style = str(tokens[index].attrs.pop("style", ""))
        if style:
            tokens[index].attrSet("class", style.removeprefix("text-align:"))
        return self.renderToken(tokens, index, options, env)

    def table_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """Wrap a table into a box, so that a wide table scrolls on its own, with the keyboard too."""
        return f'<div class="table" tabindex="0">{self.renderToken(tokens, index, options, env)}'

    def table_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return f"{self.renderToken(tokens, index, options, env)}</div>"

    def fence(self, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
        """Show code below its language and a Copy button."""
        language = escape(tokens[index].info.strip().split(" ")[0][:MAX_LANGUAGE_LENGTH]) or "код"
        head = f'<div class="code-head">{language}<button type="button" class="copy">Копировать</button></div>'
        return (
            f'<div class="code">{head}<pre tabindex="0"><code>{escape(tokens[index].content)}</code></pre></div>\n'
        )


_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
_markdown.enable(["table", "strikethrough"])
_markdown.validateLink = is_link  # type: ignore[method-assign]
