"""A model's Markdown becomes HTML that is safe to put into a page: a model may write anything at all.

Raw HTML stays text, links lead to the web or nowhere, and a picture is only a link to it: looking at a chat must
not tell another server about it.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LINK = re.compile(r"(https?://|mailto:)\S+", re.IGNORECASE)
ELSEWHERE = {"target": "_blank", "rel": "noopener noreferrer"}


def html(markdown: str) -> str:
    """Render Markdown as models write it: headings, lists, tables, fenced code."""
    return str(_markdown.render(markdown))


def is_link(url: str) -> bool:
    """Return whether an address may be followed: javascript:, data: and the like may not."""
    return bool(LINK.fullmatch(url))


class _Renderer(RendererHTML):
    """The library's own, but for what is below: a method for each kind of token."""

    def link_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        tokens[place].attrs |= ELSEWHERE
        return self.renderToken(tokens, place, options, env)

    def image(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        address = tokens[place].attrs["src"]
        link = Token("link", "a", 1, attrs={"href": address, **ELSEWHERE})
        return f"{self.renderToken([link], 0, options, env)}🖼 {escape(tokens[place].content or str(address))}</a>"

    def th_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Say how a column is aligned by a class: the page's policy allows no style within a tag."""
        style = str(tokens[place].attrs.pop("style", ""))
        if style:
            tokens[place].attrSet("class", style.removeprefix("text-align:"))
        return self.renderToken(tokens, place, options, env)

    td_open = th_open

    def table_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Put a table into a box, where a wide one scrolls by itself."""
        return f'<div class="table">{self.renderToken(tokens, place, options, env)}'

    def table_close(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        return f"{self.renderToken(tokens, place, options, env)}</div>"

    def fence(self, tokens: Sequence[Token], place: int, _: Any, __: Any) -> str:
        """Head code with its language and a button that copies it."""
        language = escape(tokens[place].info.strip().split(" ")[0][:20]) or "код"
        head = f'<div class="code-head">{language}<button type="button" class="copy">Копировать</button></div>'
        return f'<div class="code">{head}<pre><code>{escape(tokens[place].content)}</code></pre></div>\n'


_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
_markdown.enable(["table", "strikethrough"])
_markdown.validateLink = is_link  # type: ignore[method-assign]
