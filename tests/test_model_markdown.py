"""telegram.model_markdown, .markdown_writer and .markdown: what a model writes, as it reaches Telegram.

- no construct outside an allow-list: no images, no HTML, no buttons, no links to anything but pages and mail
- the visible words stay the same
- formulas, amounts of money, lines that start with a number of a note
- the limits of a rich message
"""

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from telegram.limits import MAX_RICH_BLOCKS
from telegram.markdown import plain_text, split_markdown
from unicode_text import utf16_length

# What a rich message may contain; the names are those of the tokens of markdown-it-py.
ALLOWED = {
    *("paragraph_open", "heading_open", "blockquote_open", "bullet_list_open", "ordered_list_open"),
    *("list_item_open", "fence", "hr", "inline", "table_open", "thead_open", "tbody_open", "tr_open"),
    *("th_open", "td_open", "text", "softbreak", "code_inline", "em_open", "strong_open", "s_open", "link_open"),
}

# Reads what leaves as a server does that accepts everything: HTML, images, links to anything.
everything = MarkdownIt("commonmark", {"html": True, "maxNesting": 100}).enable(["table", "strikethrough"])
everything.validateLink = lambda url: isinstance(url, str)  # type: ignore[method-assign]


def tokens_of(markdown: str) -> Iterator[Token]:
    for token in everything.parse(markdown):
        yield token
        yield from token.children or []


def safe(text: str, limit: int = 32768, footer: str = "") -> str:
    """Return the only message that a text becomes."""
    [part] = split_markdown(text, limit, footer)
    return part


def words(text: str) -> str:
    """Return the letters and digits of a text."""
    return re.sub(r"[\W_]+", "", text)


def visible_words(markdown: str) -> str:
    """Return the letters and digits that a reader sees; formulas as they are written."""
    return words("".join(token.content for token in tokens_of(markdown) if token.type not in ("inline", "image")))


pieces = st.sampled_from(
    [
        *(
            "слово",
            "раз два",
            "a_b",
            "12",
            "\n",
            "\n\n",
            " ",
            "    ",
            "# ",
            "#12",
            "> ",
            "- ",
            "1. ",
            "2) ",
            "***",
        ),
        *(
            "*",
            "**",
            "_",
            "~~",
            "`",
            "```",
            "~~~",
            "```py\n",
            "|",
            "\n|-|-|\n",
            "| a | b |",
            "[",
            "]",
            "(",
            ")",
            "!",
        ),
        *(
            "](http://a.b/c)",
            "](javascript:x)",
            "![x](https://evil.example/?q=1)",
            "![](tg://photo?id=1)",
            "<",
            ">",
        ),
        *("<b>", "</b>", "<img src='https://e.f'>", "<tg-button text='x'>", "<!--", "-->", "<https://e.f/g>"),
        *("\\", "\\(", "\\)", "\\[", "\\]", "$", "$$", "$5", "$10", "x^2", "&lt;", "&#33;", "&#10;", "&amp;", "="),
        *("\n===\n", "\n---\n", "[r]: http://a.b\n", "[r]", "\t", "🎄", "-", "+", ":-", "\r\n", "\xa0", "\u2028"),
    ]
)
markdown_like = st.lists(pieces, max_size=40).map("".join)


@given(text=markdown_like | st.text(max_size=200), limit=st.sampled_from([200, 32768]))
@example("![![](https://a.b)](https://c.d)", 32768)
@example("!\\[a](https://a.b)", 32768)
@example("\\![a](https://a.b)", 32768)
@example("`` ` `` <img src=x>", 32768)
@example("| a |\n|-|\n| `|` <b> |", 32768)
@example("$$![x](https://e.f/g)```py\n$$слово", 32768)
@example("[r]()", 32768)
@example("![r]()", 32768)
def test_nothing_but_what_is_allowed_leaves(text: str, limit: int) -> None:
    for part in split_markdown(text, limit, "812 мс"):
        assert utf16_length(part) <= limit
        for token in tokens_of(part):
            assert token.type in ALLOWED or token.nesting < 0, token
            if token.type == "link_open":
                assert re.match("(https?|mailto):", str(token.attrs["href"]), re.IGNORECASE)


without_formulas = markdown_like.map(lambda text: re.sub(r"[$\\]|]: ", "", text))


@given(text=without_formulas)
@example("[rhttp://a.b\n<https://e.f/g>](http://a.b/c)")
@example("[раз ![x](https://e.f/g) два](http://a.b/c)")
@example("[**![](https://e.f/g)**](http://a.b/c)")
@example("![# ](http://a.b/c)")
@example("![[x](http://a.b/c)](https://e.f/g)")
def test_the_visible_words_stay_the_same(text: str) -> None:
    source = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable(["table", "strikethrough"])
    source.validateLink = lambda url: bool(re.match("(https?://|mailto:)", url, re.IGNORECASE))  # type: ignore[method-assign]

    def visible(token: Token) -> str:
        text = "".join(map(visible, token.children)) if token.children else token.content
        return (text.strip() or str(token.attrs["src"])) if token.type == "image" else text

    expected = "".join(map(visible, source.parse(text)))
    assert words("".join(map(visible_words, split_markdown(text, 32768)))) == words(expected)


@given(text=markdown_like.filter(lambda text: not re.search(r"]\(|\[r]|&", text)))
def test_as_plain_text_it_has_the_same_words(text: str) -> None:
    for part in split_markdown(text, 32768):
        assert words(plain_text(part)) == words(part.replace("&lt;", "<"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![кот](https://a.b/c.png)", "[кот](https://a.b/c.png)"),
        ("![](https://a.b/c.png)", "[https://a.b/c.png](https://a.b/c.png)"),
        ("[x](javascript:alert)", "\\[x\\](javascript:alert)"),
        ("<img src='https://a.b'>", "&lt;img src='https://a.b'>"),
        ("<tg-button text='x'>да</tg-button>", "&lt;tg-button text='x'>да&lt;/tg-button>"),
        ("[сайт](https://a.b/c)", "[сайт](https://a.b/c)"),
        ("#12 — это заметка", "\\#12 — это заметка"),
        ("см.\n#12", "см.\n\\#12"),
        ("## Глава", "## Глава"),
        ("**да** и _нет_, snake_case", "**да** и _нет_, snake_case"),
        ("- [x] сделано\n- [ ] нет", "- [x] сделано\n- [ ] нет"),
        ("# Язык C#", "# Язык C\\#"),
    ],
)
def test_how_it_is_written(text: str, expected: str) -> None:
    assert safe(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"Если \(x^2\), то", "Если $x^2$, то"),
        ("\\[\na\n- b\n= c\n\\]", "$$\na\n- b\n= c\n$$"),
        (r"\[E=mc^2\]", "$$E=mc^2$$"),
        (r"как \[E=mc^2\] здесь", "как $$E=mc^2$$ здесь"),
        ("$$\nx\n$$", "$$x$$"),
        ("$x_1$ и $2x = 4$", "$x_1$ и $2x = 4$"),
        (r"\(a<b\)", "$a\\lt b$"),
        ("| \\(a\\|x\\) |\n|-|", "| $a\\vert x$ |\n| --- |"),
        ("```math\nx^2\n```", "```math\nx^2\n```"),
    ],
)
def test_formulas_are_written_as_telegram_reads_them(text: str, expected: str) -> None:
    assert safe(text) == expected


@pytest.mark.parametrize(
    "text",
    ["от $5 до $10", "$5-$10", "($5)/($10)", "5$ и 10$", "$5 (или 5$)", "US$5 и CA$", "$20 и ещё 30$", "$$ и $$$"],
)
def test_an_amount_of_money_is_no_formula(text: str) -> None:
    assert safe(text) == text.replace("$", "\\$")
    assert plain_text(safe(text)) == text


def test_code_stays_as_it_is() -> None:
    code = "```html\n<b>$5 ![](x) \\(</b>\n```\n\nи `<b>$5</b>`"
    assert safe(code) == code


# The limits of a rich message: https://core.telegram.org/bots/api#rich-message-formatting-options


def test_a_table_with_too_many_columns_becomes_code() -> None:
    def table(columns: int) -> str:
        row = "|" + "".join(f" c{n} |" for n in range(columns))
        return f"{row}\n|{'---|' * columns}\n{row}"

    assert safe(table(20)).count("| c19 |") == 2
    assert safe(table(21)).startswith("```\nc0 | c1 |")


def test_more_blocks_than_a_message_may_have_become_several_messages() -> None:
    for text in ("\n\n".join(["слово"] * 1200), "- слово\n" * 1200, "| a |\n|-|\n" + "| слово |\n" * 1200):
        parts = split_markdown(text, 32768)
        assert len(parts) >= 3
        for part in parts:
            blocks = [token for token in everything.parse(part) if token.nesting >= 0 and token.type != "inline"]
            cells = [token for token in blocks if token.type in ("th_open", "td_open")]
            assert len(blocks) - len(cells) <= MAX_RICH_BLOCKS
        assert "".join(map(visible_words, parts)).count("слово") == 1200


@pytest.mark.parametrize("line", ["> " * 100 + "слово", "- " * 100 + "слово"])
def test_what_is_nested_too_deeply_is_flattened(line: str) -> None:
    assert max(token.level for token in tokens_of(safe(line))) <= 16
    assert visible_words(safe(line)) == "слово"
    nested = "\n".join(f"{'  ' * depth}- слово{depth}" for depth in range(30))
    assert max(token.level for token in tokens_of(safe(nested))) <= 16
    assert visible_words(safe(nested)) == "".join(f"слово{depth}" for depth in range(30))


# The footer


@pytest.mark.parametrize(
    "text", ["Вот:\n```python\nprint(1)", "- a\n  ~~~\n  код", "> цитата", "\\[ x", "<!-- x", "`x"]
)
def test_the_footer_stays_out_of_what_the_model_left_open(text: str) -> None:
    part = safe(text, footer="(остановлено)\n\n812 мс; заметки: #1")
    assert part.endswith("\n\n(остановлено)\n\n812 мс; заметки: #1")
    *_, paragraph, inline, _ = everything.parse(part)
    assert (paragraph.type, paragraph.level) == ("paragraph_open", 0)
    assert inline.content == "812 мс; заметки: #1"
