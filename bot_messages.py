"""What bot.py does with messages: they become notes, edit them, or refer to them.

Each function runs inside the transaction of the update.
"""

import clock
import db
import db_attachments
import db_people
import entities
import journal
import texts
from entities import FormattedText
from journal import QuestionRow
from llm import conversations
from notes import capture, contents, editing, long_messages, transcripts
from telegram import dispatcher
from telegram.messages import CallbackQuery, Message, RepliedMessage
from telegram.replies import HandlerResult, Reaction, Reply
from telegram.router import parse_number, parse_number_and_text


def zone_of(source: Message | CallbackQuery) -> clock.TimeZone:
    """Return the time zone in which to show times to the person."""
    return db_people.zone_in_chat(source.user_id, source.chat_id, source.settings.timezone)


def confirm(message: Message, reply: Reply) -> HandlerResult:
    """Return the reply that confirms a note, or a reaction if the person prefers that; another reply as it is."""
    own = db_people.settings_in_chat(message.user_id, message.chat_id)
    return Reaction("👍") if reply.note_id and own["confirmation"] == "reaction" else reply


def replied_note(message: Message) -> db.Note | None:
    """Return the note that a message replies to: what the bot shows or confirms, or the person's own message."""
    if message.replied_to_message_id is None:
        return None
    note_id = journal.note_of_message(message.chat_id, message.replied_to_message_id)
    note = None if note_id is None else db.get_note_by_id(message.user_id, note_id)
    if note is None and message.replied_to is not None and not message.replied_to.is_bot:
        replied_to = message.replied_to
        note = capture.find_note(message.user_id, replied_to.chat_id, replied_to.message_id, replied_to.sent_at)
    return note


def replied_text(message: Message, note: db.Note | None) -> str:
    """Return the text that a command replies to: that of the note, or of the message; "" if there is none.

    `note` is replied_note(message). A message without a command completes an earlier one: it may reply to the
    bot's request for a text, which is not what the person asks about.
    """
    if not message.text.startswith("/"):
        return ""
    if note is not None and note["deleted_at"] is None:
        return contents.words(note, db_attachments.attachments_of(note["id"]))
    return message.replied_to.text if message.replied_to else ""


def note_number(message: Message, text: str) -> int:
    """Return the number that a person typed, or that of the note replied to; UsageError without either."""
    note = None if text else replied_note(message)
    return note["number"] if note else parse_number(text)


def number_and_text(message: Message, text: str) -> tuple[int, str]:
    """Return the note to edit and its new text, "" without one; in reply to a note the number is left out."""
    words = text.split(maxsplit=1)
    note = replied_note(message)
    if note is not None and (not words or words[0].removeprefix("#") != str(note["number"])):
        return note["number"], text
    if len(words) == 1:
        return parse_number(text), ""
    return parse_number_and_text(text)


def await_new_text(source: Message | CallbackQuery, number: int, asked_at: int) -> None:
    """Take the next message of the person as the new text of a note."""
    dispatcher.await_text(source, "note_edit", asked_at, text_before=str(number))


def ask_for_rest(message: Message, command: str, text: str, question: str) -> Reply:
    """Ask a question whose answer, the next message of the person, completes the text of a command."""
    dispatcher.await_text(message, command, message.sent_at, text_before=text)
    return Reply(question, asks_for_text=True)


def expect_more_parts(message: Message, result: HandlerResult) -> HandlerResult:
    """Return the result of changing a note; prepare for further parts if the text was too long for one message."""
    if isinstance(result, Reply) and result.note_id is not None and long_messages.may_go_on(message):
        note = db.get_note_by_id(message.user_id, result.note_id)
        if note is not None:
            whole = FormattedText(note["text"], entities.loads(note["entities"]))
            long_messages.start(message, whole, note["id"])
    return result


def continue_long_message(message: Message) -> bool:
    """Append a further part of a long message to what its first part became; return False if it is none."""
    joined = long_messages.join(message)
    if joined is None:
        return False
    journal.complete_question(message.user_id, message.chat_id, joined.message_id, joined.text.text)
    return True


def find_edited_note(message: Message, text: str) -> tuple[db.Note | None, FormattedText]:
    """Return the note of an edited message, and what its text is now; None if there is no such note."""
    formatted = message.formatted(text)
    if message.media_group_id:
        note = db.get_note_by_attachment(message.user_id, message.chat_id, message.message_id)
        if note is not None:
            return note, capture.replace_caption(note, message, formatted)
    joined = long_messages.replace_part(message, formatted)
    note = db.get_note_by_message(message.user_id, message.chat_id, joined.message_id, joined.sent_at)
    return note, joined.text


def follow_message(note: db.Note, message: Message, text: FormattedText) -> HandlerResult:
    """Replace the text and the attachments of a note after its message was edited; None if nothing changes."""
    is_replaced = note["deleted_at"] is None and capture.replace_attachments(note["id"], message)
    if any(attachment.kind == "location" for attachment in message.attachments):
        return None  # a live location moves every few seconds and has no caption
    result = editing.follow_message(note, text)
    if result is None and is_replaced:
        result = texts.note_edited(note["number"])
    return transcripts.request(note["id"], message, message, result) if is_replaced else result


def keep(message: Message, text: str) -> HandlerResult:
    """Make a note of a message; the messages of an album are one note."""
    formatted = message.formatted(text)
    if message.unsupported and not text:
        return texts.unsupported(message.unsupported)
    album_note_id = _album_note(message)
    if album_note_id is not None:
        return _add_to_album(album_note_id, message, formatted)
    note = capture.keep(message, formatted)
    if message.media_group_id:
        journal.set_album_note(message.chat_id, message.media_group_id, note["id"])
    if message.unsupported:
        return texts.unsupported(message.unsupported, note["number"])
    source = message if message.attachments else message.replied_to or message
    confirmation = confirm(message, capture.confirmation(note, message))
    return transcripts.request(note["id"], source, message, confirmation)


def add_album_part(message: Message, text: str) -> HandlerResult:
    """Add a further message of an album to the note that the album became, or to the question in its caption."""
    note_id = _album_note(message)
    if note_id is None:
        conversations.add_picture(message)
        return None
    return _add_to_album(note_id, message, message.formatted(text))


def keep_replied(message: Message, replied_to: RepliedMessage) -> HandlerResult:
    """Make a note of the message replied to, once."""
    question = journal.question_answered_by(replied_to.chat_id, replied_to.message_id)
    saved = save_answer(question, message.user_id, replied_to.chat_id, replied_to.message_id)
    if saved is not None:
        return saved
    note = capture.find_note(message.user_id, replied_to.chat_id, replied_to.message_id, replied_to.sent_at)
    if note is not None and note["deleted_at"] is not None:
        return texts.note_is_deleted(note["number"])
    if note is not None:
        return texts.note_already_saved(note["number"])
    if not replied_to.text and not replied_to.attachments:
        return texts.unsupported(replied_to.unsupported) if replied_to.unsupported else texts.CONTENT_UNKNOWN
    added = capture.keep_replied(message, replied_to)
    if replied_to.unsupported:
        return texts.unsupported(replied_to.unsupported, added["number"])
    confirmation = confirm(message, capture.confirmation(added, message))
    return transcripts.request(added["id"], replied_to, message, confirmation)


def save_answer(question: QuestionRow | None, user_id: int, chat_id: int, message_id: int) -> str | None:
    """Make a note of the answer to a question, once; None if there is no answer."""
    if question is None or question["answer"] is None:
        return None
    number, is_new = db.save_answer(user_id, chat_id, message_id, question["id"], question["answer"])
    return texts.note_saved(number, is_new=is_new)


def _album_note(message: Message) -> int | None:
    """Return the id of the note that the earlier messages of the same album became."""
    return journal.album_note(message.chat_id, message.media_group_id) if message.media_group_id else None


def _add_to_album(note_id: int, message: Message, text: FormattedText) -> HandlerResult:
    capture.add_album_part(note_id, message, text)
    return transcripts.request(note_id, message, message, None)
