"""notes.export_texts: notes for people to read, as plain text and as Markdown."""

from typing import Any

import pytest
from conftest import without_times
from hypothesis import given
from test_attachments import DOCUMENT, SOURCE
from test_entities import formatted_texts
from test_exports import ANN, NOW, export

import db
import db_attachments
import storage
from entities import FormattedText
from notes.export_texts import formatted


def entity(name: str, offset: int, length: int, **fields: Any) -> dict[str, Any]:
    return {"type": name, "offset": offset, "length": length, **fields}


@pytest.mark.usefixtures("database")
def test_a_note_with_everything_in_it() -> None:
    link = entity("text_link", 4, 4, url="https://example.org/a(b)")
    note = db.add_note(ANN, ANN, 5, "вот сайт", NOW, [entity("bold", 0, 3), link])
    db_attachments.add_attachment(note["id"], DOCUMENT)
    voice: db_attachments.NewAttachment = {**DOCUMENT, "kind": "voice", "duration_s": 42, "position": 8}
    voice_id = db_attachments.add_attachment(note["id"], voice)
    storage.execute("UPDATE attachments SET transcript = 'купить хлеб' WHERE id = ?", (voice_id,))
    db_attachments.set_source(note["id"], SOURCE)
    _, content = export("txt")
    assert without_times(content.decode()) == (
        "#1 · 21.11.2026 12:00\n↪ Канал\nhttps://t.me/channel/5\nвот сайт (https://example.org/a(b))\n"
        "📎 Файл «Договор.pdf»\n🎤 Голосовое, 0:42: купить хлеб\n\n"
    )
    _, content = export("md")
    assert without_times(content.decode()) == (
        "# Заметки\n\n## #1 · 21.11.2026 12:00\n\n[↪ Канал](https://t.me/channel/5)\n\n"
        "**вот** [сайт](<https://example.org/a(b)>)\n\n"
        "- 📎 Файл «Договор.pdf»\n- 🎤 Голосовое, 0:42: купить хлеб\n\n"
    )


@pytest.mark.parametrize(
    ("text", "text_entities", "markdown"),
    [
        ("раз два", [entity("bold", 0, 4)], "**раз** два"),
        ("😀 раз", [entity("italic", 3, 3)], "😀 _раз_"),
        ("раз", [entity("bold", 0, 3), entity("italic", 0, 3)], "**_раз_**"),
        ("раз два", [entity("bold", 0, 7), entity("strikethrough", 4, 3)], "**раз ~~два~~**"),
        ("x = 1", [entity("code", 0, 5)], "`x = 1`"),
        ("x\ny", [entity("pre", 0, 3, language="python")], "```python\nx\ny\n```"),
        ("раз\nдва\nтри", [entity("blockquote", 0, 7)], "> раз\n> два\nтри"),
        ("Анна", [entity("text_mention", 0, 4, user={"id": 7})], "[Анна](tg://user?id=7)"),
        ("раз", [entity("spoiler", 0, 3), entity("url", 0, 3)], "раз"),
        (" ", [entity("bold", 0, 1)], " "),
    ],
)
def test_formatting_as_markdown(text: str, text_entities: list[dict[str, Any]], markdown: str) -> None:
    assert formatted(text, text_entities) == markdown


@given(formatted_texts)
def test_any_formatting_keeps_the_characters_of_the_text(note: FormattedText) -> None:
    rest = iter(formatted(note.text, list(note.entities)))
    assert all(character in rest for character in note.text if character.isalnum())
