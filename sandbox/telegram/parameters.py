"""The names of the parameters that a method of the Bot API 10.3 takes (https://core.telegram.org/bots/api).

Telegram itself ignores a name that it does not know; here it is an error, because it is always a mistake.
tests/test_schema.py checks the same against the types of another library.
"""

from sandbox.telegram.checks import Json, Refusal

_SENT = (
    "chat_id business_connection_id message_thread_id direct_messages_topic_id disable_notification"
    " protect_content allow_paid_broadcast message_effect_id suggested_post_parameters reply_parameters"
    " reply_markup"
)
_CAPTION = "caption parse_mode caption_entities"
_COPIED = "chat_id from_chat_id message_thread_id direct_messages_topic_id disable_notification protect_content"

PARAMETERS = {
    "getMe": "",
    "deleteWebhook": "drop_pending_updates",
    "setMyCommands": "commands scope language_code",
    "getUpdates": "offset limit timeout allowed_updates",
    "getFile": "file_id",
    "sendMessage": f"{_SENT} text parse_mode entities link_preview_options",
    "sendRichMessage": f"{_SENT} rich_message",
    "sendMessageDraft": "chat_id message_thread_id draft_id text parse_mode entities can_stop keep_on_stop",
    "sendRichMessageDraft": "chat_id message_thread_id draft_id rich_message can_stop keep_on_stop",
    "sendDocument": f"{_SENT} {_CAPTION} document thumbnail disable_content_type_detection",
    "sendPhoto": f"{_SENT} {_CAPTION} photo show_caption_above_media has_spoiler",
    "sendVideo": f"{_SENT} {_CAPTION} video duration width height thumbnail cover start_timestamp"
    " show_caption_above_media has_spoiler supports_streaming",
    "sendAnimation": f"{_SENT} {_CAPTION} animation duration width height thumbnail show_caption_above_media"
    " has_spoiler",
    "sendAudio": f"{_SENT} {_CAPTION} audio duration performer title thumbnail",
    "sendVoice": f"{_SENT} {_CAPTION} voice duration",
    "sendVideoNote": f"{_SENT} video_note duration length thumbnail",
    "sendSticker": f"{_SENT} sticker emoji",
    "sendLocation": f"{_SENT} latitude longitude horizontal_accuracy live_period heading proximity_alert_radius",
    "sendVenue": f"{_SENT} latitude longitude title address foursquare_id foursquare_type google_place_id"
    " google_place_type",
    "sendContact": f"{_SENT} phone_number first_name last_name vcard",
    "sendMediaGroup": "chat_id business_connection_id message_thread_id direct_messages_topic_id media"
    " disable_notification protect_content allow_paid_broadcast message_effect_id reply_parameters",
    "copyMessage": f"{_COPIED} {_CAPTION} message_id video_start_timestamp show_caption_above_media"
    " allow_paid_broadcast message_effect_id suggested_post_parameters reply_parameters reply_markup",
    "copyMessages": f"{_COPIED} message_ids remove_caption",
    "setMessageReaction": "chat_id message_id reaction is_big",
    "sendChatAction": "chat_id business_connection_id message_thread_id action",
    "editMessageText": "business_connection_id chat_id message_id inline_message_id text parse_mode entities"
    " link_preview_options reply_markup rich_message",
    "answerCallbackQuery": "callback_query_id text show_alert url cache_time",
}
OBJECTS = {
    "reply_parameters": "message_id chat_id allow_sending_without_reply quote quote_parse_mode quote_entities"
    " quote_position checklist_task_id poll_option_id",
    "link_preview_options": "is_disabled url prefer_small_media prefer_large_media show_above_text",
    "rich_message": "html markdown is_rtl skip_entity_detection blocks media",
    "reply_markup": "inline_keyboard force_reply input_field_placeholder selective",
}


def check_names(method: str, params: Json) -> None:
    """Refuse a call with a parameter, or a field of a parameter, that does not exist."""
    if method in PARAMETERS:
        _check(set(params), PARAMETERS[method], method)
    for name, fields in OBJECTS.items():
        if isinstance(params.get(name), dict):
            _check(set(params[name]), fields, name)


def _check(names: set[str], known: str, place: str) -> None:
    unknown = names - set(known.split())
    if unknown:
        raise Refusal(400, f"Bad Request: {place} has no parameter {', '.join(sorted(unknown))}")
