"""The sizes that Telegram accepts (https://core.telegram.org/bots/api)."""

# In UTF-16 units, as Telegram counts text.
MAX_MESSAGE_LENGTH = 4096  # the text of a message
MAX_RICH_LENGTH = 32768  # the Markdown of a rich message
MAX_TOAST_LENGTH = 200  # the answer to a tap on a button
MAX_CAPTION_LENGTH = 1024  # the text with a photo or a file

MAX_ALBUM_SIZE = 10  # photos or files

MAX_RICH_BLOCKS = 500  # paragraphs, list items, rows, … of a rich message

MAX_UPLOAD_BYTES = 50 * 2**20  # a file that a bot sends
MAX_DOWNLOAD_BYTES = 20 * 2**20  # a file that a bot receives
