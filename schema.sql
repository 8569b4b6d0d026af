-- The tables of a new database. The scripts in migrations/ upgrade older databases to the same schema.
-- All times are Unix seconds (UTC).

-- Notes. People see and type the number: each person's first note is #1, and #12 always means the same note. The id is
-- for references inside the database; it would tell a person how many notes everybody has.
CREATE TABLE notes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,   -- the message that the note was made from
    text       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,   -- when the person sent the message
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,            -- NULL while the note exists; a deleted note is kept for 30 days
    question_id INTEGER,           -- the question whose answer the note contains; NULL for other notes
    bot_id     INTEGER,            -- the bot that got the message: each bot has its own message ids in private chats;
                                   -- NULL if unknown: imported, stored before version 3, or the chat has a new id
    entities   TEXT    NOT NULL DEFAULT '[]',   -- JSON: the formatting of the text, see entities.py
    search_extra TEXT  NOT NULL DEFAULT '',  -- '' or a newline and what the search finds beside the text: hidden links,
                                             -- names of files and sources, transcripts; see db_attachments.py
    number     INTEGER NOT NULL DEFAULT 0,  -- counts the notes of the person from 1; never 0, see _NEXT_NUMBER in db.py
    pinned_at  INTEGER             -- NULL: not pinned; pinned notes lead the list
) STRICT;

CREATE INDEX ix_notes_user ON notes(user_id, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_notes_created ON notes(user_id, created_at) WHERE deleted_at IS NULL;
CREATE INDEX ix_notes_message ON notes(chat_id, message_id);
CREATE INDEX ix_notes_deleted ON notes(deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX ix_notes_trash ON notes(user_id, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE UNIQUE INDEX ux_notes_question ON notes(user_id, question_id)
    WHERE question_id IS NOT NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX ux_notes_number ON notes(user_id, number);
CREATE INDEX ix_notes_pinned ON notes(user_id) WHERE pinned_at IS NOT NULL;

-- People who have notes, with a small number for each: the search index combines it with the id of a note.
CREATE TABLE people (
    number  INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL UNIQUE,
    notes   INTEGER NOT NULL DEFAULT 0,  -- count without deleted notes; triggers keep it, as counting rows is slow
    last_note_number INTEGER NOT NULL DEFAULT 0,  -- of the newest note; a trigger keeps it, so no number comes twice
    knows_transcription INTEGER NOT NULL DEFAULT 0 CHECK (knows_transcription IN (0, 1))   -- 1: was told of it, once
) STRICT;

-- The search index finds any part of a word: each three consecutive characters are a term.
-- It reads the notes through this view, which makes three changes:
-- * fold(), a function of unicode_text.py, makes a text independent of case, of ё or е, and of the way in which its
--   letters are encoded;
-- * two spaces are appended, so that the last two characters also begin a term (db_search.py looks up one or two
--   characters as the beginning of a term);
-- * the row number is (people.number << 40 | notes.id), so that the notes of a person are neighbors in the index
--   and a search reads no others.
CREATE VIEW notes_folded AS
    SELECT people.number << 40 | notes.id AS id,
           fold(notes.text || notes.search_extra) || '  ' AS text
    FROM notes JOIN people ON people.user_id = notes.user_id;

CREATE VIRTUAL TABLE notes_fts USING fts5(
    text, content = 'notes_folded', content_rowid = 'id', tokenize = 'trigram'
);

-- The terms of the search index: a row for each place where a term occurs.
CREATE VIRTUAL TABLE notes_terms USING fts5vocab(notes_fts, instance);

-- The index of words finds the other forms of a word. word_keys(), a function of words.py, returns the keys that a word
-- shares with its other forms. Its row numbers are those of the search index.
CREATE VIEW notes_keys AS
    SELECT people.number << 40 | notes.id AS id,
           word_keys(notes.text || notes.search_extra) AS keys
    FROM notes JOIN people ON people.user_id = notes.user_id;

CREATE VIRTUAL TABLE notes_words USING fts5(
    keys, content = 'notes_keys', content_rowid = 'id', detail = none, columnsize = 0,
    tokenize = "ascii tokenchars '_'"
);

-- The index stores no copy of the text, so a 'delete' must repeat the text that was indexed.
CREATE TRIGGER notes_insert AFTER INSERT ON notes BEGIN
    INSERT INTO people (user_id, notes, last_note_number) VALUES (new.user_id, 1, new.number)
        ON CONFLICT (user_id) DO UPDATE SET notes = notes + 1, last_note_number = max(last_note_number, new.number);
    INSERT INTO notes_fts(rowid, text) VALUES (
        (SELECT number << 40 | new.id FROM people WHERE user_id = new.user_id),
        fold(new.text || new.search_extra) || '  ');
    INSERT INTO notes_words(rowid, keys) VALUES (
        (SELECT number << 40 | new.id FROM people WHERE user_id = new.user_id),
        word_keys(new.text || new.search_extra));
END;
CREATE TRIGGER notes_update_text AFTER UPDATE OF text, search_extra ON notes BEGIN
    INSERT INTO notes_fts(notes_fts, rowid, text) VALUES ('delete',
        (SELECT number << 40 | old.id FROM people WHERE user_id = old.user_id),
        fold(old.text || old.search_extra) || '  ');
    INSERT INTO notes_words(notes_words, rowid, keys) VALUES ('delete',
        (SELECT number << 40 | old.id FROM people WHERE user_id = old.user_id),
        word_keys(old.text || old.search_extra));
    INSERT INTO notes_fts(rowid, text) VALUES (
        (SELECT number << 40 | new.id FROM people WHERE user_id = new.user_id),
        fold(new.text || new.search_extra) || '  ');
    INSERT INTO notes_words(rowid, keys) VALUES (
        (SELECT number << 40 | new.id FROM people WHERE user_id = new.user_id),
        word_keys(new.text || new.search_extra));
END;
CREATE TRIGGER notes_update_deleted AFTER UPDATE OF deleted_at ON notes
    WHEN (old.deleted_at IS NULL) <> (new.deleted_at IS NULL)
BEGIN
    UPDATE people SET notes = notes + iif(new.deleted_at IS NULL, 1, -1) WHERE user_id = new.user_id;
END;
CREATE TRIGGER notes_delete AFTER DELETE ON notes BEGIN
    INSERT INTO notes_fts(notes_fts, rowid, text) VALUES ('delete',
        (SELECT number << 40 | old.id FROM people WHERE user_id = old.user_id),
        fold(old.text || old.search_extra) || '  ');
    INSERT INTO notes_words(notes_words, rowid, keys) VALUES ('delete',
        (SELECT number << 40 | old.id FROM people WHERE user_id = old.user_id),
        word_keys(old.text || old.search_extra));
    UPDATE people SET notes = notes - (old.deleted_at IS NULL) WHERE user_id = old.user_id;
END;

-- The tags of notes that are not deleted. tags(), a function of words.py, finds them in a text, but not in its code.
CREATE TABLE note_tags (
    user_id INTEGER NOT NULL,
    tag     TEXT    NOT NULL,   -- after fold(), without the #
    note_id INTEGER NOT NULL,
    label   TEXT    NOT NULL,   -- as it is written in the note
    PRIMARY KEY (user_id, tag, note_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER note_tags_insert AFTER INSERT ON notes WHEN instr(new.text, '#') BEGIN
    INSERT INTO note_tags SELECT new.user_id, key, new.id, value FROM json_each(tags(new.text, new.entities))
        WHERE new.deleted_at IS NULL;
END;
CREATE TRIGGER note_tags_update AFTER UPDATE OF text, entities, deleted_at ON notes WHEN instr(old.text || new.text, '#') BEGIN
    DELETE FROM note_tags WHERE user_id = old.user_id AND note_id = old.id
        AND tag IN (SELECT key FROM json_each(tags(old.text, old.entities)));
    INSERT INTO note_tags SELECT new.user_id, key, new.id, value FROM json_each(tags(new.text, new.entities))
        WHERE new.deleted_at IS NULL;
END;
CREATE TRIGGER note_tags_delete AFTER DELETE ON notes WHEN instr(old.text, '#') BEGIN
    DELETE FROM note_tags WHERE user_id = old.user_id AND note_id = old.id
        AND tag IN (SELECT key FROM json_each(tags(old.text, old.entities)));
END;

-- The text of a note before each edit, so that an edit can be undone.
CREATE TABLE edits (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    note_id     INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
    text_before TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    entities_before TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE INDEX ix_edits_note ON edits(note_id);

-- Photos, files, places, … of notes. Telegram keeps the files; a file_id sends one again.
CREATE TABLE attachments (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    note_id        INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
    chat_id        INTEGER NOT NULL,
    message_id     INTEGER NOT NULL,   -- the message that brought it; an album is several messages
    position       INTEGER NOT NULL,   -- the order within the note
    kind           TEXT    NOT NULL CHECK (kind IN ('photo', 'document', 'video', 'animation', 'audio', 'voice',
                                                    'video_note', 'sticker', 'location', 'venue', 'contact')),
    file_id        TEXT    NOT NULL DEFAULT '',   -- '' without a file: a location, a venue, a contact
    file_unique_id TEXT    NOT NULL DEFAULT '',   -- the same for every bot, but of no use to send the file
    bot_id         INTEGER,            -- the only bot that can use the file_id; NULL if unknown
    file_name      TEXT,
    mime_type      TEXT,
    file_size      INTEGER,            -- bytes
    duration_s     INTEGER,
    width          INTEGER,
    height         INTEGER,
    details        TEXT    NOT NULL DEFAULT '{}',   -- JSON object: what only one kind has, see telegram/contents.py
    transcript     TEXT                -- NULL until the speech is transcribed
) STRICT;

CREATE INDEX ix_attachments_note ON attachments(note_id, position);
CREATE INDEX ix_attachments_message ON attachments(chat_id, message_id);

-- Where forwarded notes come from.
CREATE TABLE sources (
    note_id INTEGER PRIMARY KEY REFERENCES notes(id) ON DELETE CASCADE,
    name    TEXT    NOT NULL,          -- of a person, a group or a channel
    url     TEXT,                      -- a link to the post or the profile; NULL if it has none
    sent_at INTEGER NOT NULL           -- when the original was sent
) STRICT;

-- Notes that were deleted together, so that one button restores them.
CREATE TABLE deletions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    numbers    TEXT    NOT NULL,   -- JSON: the numbers of the notes
    created_at INTEGER NOT NULL
) STRICT;

-- Lists and searches with pages. The data of a page button is too short for a query, so it contains the id.
CREATE TABLE listings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    query      TEXT    NOT NULL,   -- '' lists all notes
    page_size  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    since      INTEGER,            -- lists only notes created since this moment and before until; NULL: all
    until      INTEGER
) STRICT;

-- Messages without a command, kept until the person chooses with a button what to do with the text.
CREATE TABLE plain_texts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    is_asked   INTEGER NOT NULL DEFAULT 0 CHECK (is_asked IN (0, 1)),   -- 1: it was sent to a model as a question
    sent_at    INTEGER NOT NULL,
    entities   TEXT    NOT NULL DEFAULT '[]',   -- as in notes
    source     TEXT,                            -- JSON object with the columns of sources; NULL: not forwarded
    UNIQUE (chat_id, message_id)
) STRICT;

-- A message of more than 4096 characters arrives as several, and an album may have several captions. These are the
-- parts: the first is the message that a note, a plain text or a question was made from, or that changed a note.
CREATE TABLE message_parts (
    chat_id          INTEGER NOT NULL,
    message_id       INTEGER NOT NULL,
    user_id          INTEGER NOT NULL,
    first_message_id INTEGER NOT NULL,
    text             TEXT    NOT NULL,   -- of the first part: without the command
    length           INTEGER NOT NULL,   -- of the whole message, in UTF-16 units; 0: a caption, which no text continues
    sent_at          INTEGER NOT NULL,
    entities         TEXT    NOT NULL DEFAULT '[]',   -- as in notes
    note_id          INTEGER,   -- the note that gets the whole text; NULL: the one made from the first message
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ix_message_parts_user ON message_parts(user_id, chat_id, sent_at);

-- What people have set for themselves. NULL: the bot's own setting holds.
CREATE TABLE personal_settings (
    user_id      INTEGER PRIMARY KEY,
    timezone     TEXT,          -- such as Europe/Moscow
    prompt       TEXT,          -- the person's instructions for models
    model_id     INTEGER REFERENCES models(id),   -- the person's own model
    plain_text   TEXT CHECK (plain_text IN ('note', 'ask_first')),   -- what becomes of a message without a command
    confirmation TEXT CHECK (confirmation IN ('reply', 'reaction'))  -- how the bot confirms a note
) STRICT;

-- Reminders: of a note, or of a text of their own.
CREATE TABLE reminders (
    id         INTEGER PRIMARY KEY,   -- random
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,   -- the chat in which it was set, and comes
    thread_id  INTEGER,              -- the topic of the chat; NULL outside of topics
    note_id    INTEGER REFERENCES notes(id) ON DELETE CASCADE,   -- NULL: a reminder of its own text
    text       TEXT    NOT NULL,   -- '' for a note
    starts_at  TEXT    NOT NULL,   -- ISO date and time on the person's clock; repetitions count from here
    repeat     TEXT    NOT NULL CHECK (repeat IN ('', 'day', 'week', 'month', 'year')),
    due_at     INTEGER NOT NULL,   -- Unix seconds
    is_waiting INTEGER NOT NULL DEFAULT 1 CHECK (is_waiting IN (0, 1)),   -- 0: it came for the last time
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ix_reminders_due ON reminders(due_at) WHERE is_waiting = 1;
CREATE INDEX ix_reminders_user ON reminders(user_id, due_at) WHERE is_waiting = 1;
CREATE INDEX ix_reminders_note ON reminders(note_id) WHERE note_id IS NOT NULL;

-- Language models. The unique index allows at most one active model.
CREATE TABLE models (
    id             INTEGER PRIMARY KEY,
    key            TEXT    NOT NULL,          -- the name that the gateway uses
    label          TEXT    NOT NULL,          -- the name that people see
    active         INTEGER NOT NULL DEFAULT 0 CHECK (active IN (0, 1)),
    gateway        TEXT    NOT NULL DEFAULT 'openrouter',
    available      INTEGER NOT NULL DEFAULT 1 CHECK (available IN (0, 1)),   -- 0: the gateway no longer offers it
    context_length INTEGER,                   -- in tokens; NULL while unknown
    category       TEXT    NOT NULL DEFAULT 'text' CHECK (category IN ('text', 'image')),   -- the kind of its output
    sees_images    INTEGER NOT NULL DEFAULT 0 CHECK (sees_images IN (0, 1)),   -- 1: it accepts pictures
    UNIQUE (gateway, key)
) STRICT;

CREATE UNIQUE INDEX ux_models_single_active ON models(active) WHERE active = 1;

-- The first four models come from the course; OpenRouter has withdrawn them since. Number 0 is no model of a
-- gateway: it picks a free model for each question (see llm/free_router.py).
INSERT INTO models (id, key, label, active, available, gateway) VALUES
    (0,  'free-by-task',                                   'Free model by task',            0, 1, 'router'),
    (1,  'deepseek/deepseek-chat-v3.1:free',               'DeepSeek V3.1 (free)',          0, 0, 'openrouter'),
    (2,  'deepseek/deepseek-r1:free',                      'DeepSeek R1 (free)',            0, 0, 'openrouter'),
    (3,  'mistralai/mistral-small-24b-instruct-2501:free', 'Mistral Small 24b (free)',      0, 0, 'openrouter'),
    (4,  'meta-llama/llama-3.1-8b-instruct:free',          'Llama 3.1 8B (free)',           0, 0, 'openrouter'),
    (5,  'google/gemma-4-31b-it:free',                     'Gemma 4 31B (free)',            1, 1, 'openrouter'),
    (6,  'google/gemma-4-26b-a4b-it:free',                 'Gemma 4 26B A4B (free)',        0, 1, 'openrouter'),
    (7,  'nvidia/nemotron-3.5-lightning:free',             'Nemotron 3.5 Lightning (free)', 0, 1, 'openrouter'),
    (8,  'nvidia/nemotron-3-ultra-550b-a55b:free',         'Nemotron 3 Ultra 550B (free)',  0, 1, 'openrouter'),
    (9,  'cohere/north-mini-code:free',                    'North Mini Code (free)',        0, 1, 'openrouter'),
    (10, 'openrouter/free',                                'OpenRouter: any free model',    0, 1, 'openrouter');

-- When the model catalog of each gateway was last fetched. No row: never.
CREATE TABLE catalogs (
    gateway    TEXT    PRIMARY KEY,
    fetched_at INTEGER NOT NULL
) STRICT;

-- The active model vanished from its catalog and another one replaced it. The row holds both labels until a person
-- has been informed; there is at most one row.
CREATE TABLE model_replacements (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    vanished TEXT NOT NULL,
    active   TEXT NOT NULL
) STRICT;

-- Questions to a model, stored before they are sent to it, so that a restart loses none.
CREATE TABLE questions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    chat_id     INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,   -- the message with the question; 0 after the chat has got a new id
    is_private  INTEGER NOT NULL CHECK (is_private IN (0, 1)),   -- 1: a private chat, which can show drafts
    kind        TEXT    NOT NULL CHECK (kind IN ('ask', 'compare', 'web', 'note_ask')),
    parent_id   INTEGER REFERENCES questions(id),            -- the previous question of the conversation
    model_id    INTEGER NOT NULL REFERENCES models(id),      -- the model that was active when the person asked
    text        TEXT    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'answered', 'stopped', 'failed')),
    stop_at     INTEGER,            -- when the person pressed Stop
    answer      TEXT,               -- NULL until the question is answered
    asked_at    INTEGER NOT NULL,
    finished_at INTEGER,
    -- 0: waits for the earlier questions of the person; 1: is answered beside them (all but the first of a /compare)
    is_parallel INTEGER NOT NULL DEFAULT 0 CHECK (is_parallel IN (0, 1)),
    thread_id   INTEGER,            -- the topic of the chat; NULL outside of topics
    -- 1: asked again with the button: the answer cache is not used
    is_repeat   INTEGER NOT NULL DEFAULT 0 CHECK (is_repeat IN (0, 1)),
    pictures    TEXT    NOT NULL DEFAULT '[]',   -- JSON: the file_ids of the pictures that it is about
    speech      TEXT                             -- JSON: the recording with the question; {}: its words are in the text
) STRICT;

CREATE INDEX ix_questions_pending ON questions(user_id, id) WHERE state = 'pending';
CREATE INDEX ix_questions_user ON questions(user_id, asked_at);
CREATE INDEX ix_questions_topic ON questions(chat_id, thread_id, id) WHERE thread_id IS NOT NULL;
CREATE INDEX ix_questions_parent ON questions(parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_questions_finished ON questions(finished_at) WHERE finished_at IS NOT NULL;

-- Topics of private chats in which the person began a new conversation.
CREATE TABLE topics (
    chat_id        INTEGER NOT NULL,
    thread_id      INTEGER NOT NULL,
    after_question INTEGER NOT NULL,   -- the last question of the previous conversation
    PRIMARY KEY (chat_id, thread_id)
) STRICT, WITHOUT ROWID;

-- Answers to give again if the same person soon asks the same model the same question.
CREATE TABLE answer_cache (
    user_id        INTEGER NOT NULL,
    model_id       INTEGER NOT NULL REFERENCES models(id),    -- the model that was asked
    key            TEXT    NOT NULL,                          -- a hash of the question
    question_id    INTEGER NOT NULL REFERENCES questions(id) ON DELETE CASCADE,   -- its row holds the answer
    answered_by_id INTEGER NOT NULL REFERENCES models(id),    -- differs from model_id if the router picked the model
    model          TEXT    NOT NULL,                          -- the model as the gateway names it
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (user_id, model_id, key)
) STRICT, WITHOUT ROWID;

-- The messages of the bot that contain answers. A reply to such a message continues the conversation.
CREATE TABLE answer_messages (
    chat_id     INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,
    question_id INTEGER NOT NULL REFERENCES questions(id),
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ix_answer_messages_question ON answer_messages(question_id);

-- Every HTTP request to a model, successful or not. Requests of past years are summed in llm_usage_days.
CREATE TABLE llm_requests (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at        INTEGER NOT NULL,
    user_id           INTEGER NOT NULL,
    module            TEXT    NOT NULL,   -- the kind of the question
    gateway           TEXT    NOT NULL,
    model             TEXT    NOT NULL,   -- the key of the model that was asked
    generation_id     TEXT,               -- the gateway's id of the answer
    status            INTEGER NOT NULL,   -- HTTP status; 0 without a response
    finish_reason     TEXT,               -- from the gateway: stop, length, …; from the bot: stopped, cut
    latency_ms        INTEGER NOT NULL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    reasoning_tokens  INTEGER,
    cost              REAL,               -- in USD; NULL while unknown
    is_free           INTEGER NOT NULL DEFAULT 0 CHECK (is_free IN (0, 1)),  -- 1: counts against the free limits
    cause             TEXT,               -- of a failure: a code such as data_policy or http_502, never any words
    provider          TEXT,               -- who ran the model, if the gateway says
    answered_model    TEXT,               -- the model that answered, if the gateway says; a router picks one
    provider_latency_ms INTEGER,          -- until the provider began to answer; looked up later, like the cost
    provider_requests INTEGER             -- how many providers OpenRouter asked; more than 1: it tried again
) STRICT;

CREATE INDEX ix_llm_requests_time ON llm_requests(created_at);

-- Requests that are no longer in llm_requests, summed by day.
CREATE TABLE llm_usage_days (
    day      INTEGER NOT NULL,   -- when the day (UTC) begins
    user_id  INTEGER NOT NULL,
    model    TEXT    NOT NULL,
    requests INTEGER NOT NULL,
    tokens   INTEGER NOT NULL,   -- of prompts and completions
    cost     REAL    NOT NULL,   -- in USD
    PRIMARY KEY (day, user_id, model)
) STRICT, WITHOUT ROWID;

-- Replies that wait for Telegram. A row is deleted after Telegram has accepted all its calls.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id     INTEGER NOT NULL,
    calls       TEXT    NOT NULL,   -- JSON: [[method, parameters], …]; each call sends one message, in this order
    question_id INTEGER,            -- the question that the reply answers
    created_at  INTEGER NOT NULL,
    note_id     INTEGER             -- the note that the reply shows or confirms
) STRICT;

CREATE INDEX ix_outbox_chat ON outbox(chat_id, id);

-- Deferred work: what takes long or needs the network, such as an export. A row is deleted when the work is done.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,   -- the chat that gets the result
    reply_to   INTEGER,            -- the message that the result replies to
    name       TEXT    NOT NULL,   -- see app/jobs.py
    attempts   INTEGER NOT NULL DEFAULT 0,   -- runs that were begun and did not end by themselves
    arguments  TEXT    NOT NULL,   -- JSON object
    progress   TEXT    NOT NULL DEFAULT '{}',   -- JSON object: what an interrupted run has done
    created_at INTEGER NOT NULL,
    thread_id  INTEGER             -- the topic of the chat; NULL outside of topics
) STRICT;

CREATE INDEX ix_jobs_user ON jobs(user_id, id);

-- Recordings in notes that wait to be turned into text. A row is deleted when that is done, or has failed for good.
CREATE TABLE transcriptions (
    attachment_id INTEGER PRIMARY KEY REFERENCES attachments(id) ON DELETE CASCADE,
    user_id       INTEGER NOT NULL,
    chat_id       INTEGER NOT NULL,   -- the chat that gets the transcript
    message_id    INTEGER NOT NULL,   -- the message that it replies to; 0 after the chat has got a new id
    thread_id     INTEGER,            -- the topic of the chat; NULL outside of topics
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX ix_transcriptions_user ON transcriptions(user_id, attachment_id);

-- What each message that can be edited said last, as a short hash. Telegram reports an edit also when the text stays
-- the same, for example after a reaction, and the note may have been changed in another way since.
CREATE TABLE message_texts (
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    digest     INTEGER NOT NULL,   -- of the text
    sent_at    INTEGER NOT NULL,
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

-- The moment that counts as now when old rows are deleted. It follows the machine's clock only as far as the bot has
-- really run, so that a clock that jumps ahead deletes nothing.
CREATE TABLE purge_clock (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    moment INTEGER NOT NULL
) STRICT;

-- Updates that the bot has handled. Telegram repeats an update until it is confirmed, and chooses a new random
-- update_id after a week without updates: so the bot looks for each id here instead of comparing it with the latest.
CREATE TABLE handled_updates (
    update_id  INTEGER PRIMARY KEY,
    handled_at INTEGER NOT NULL
) STRICT;

-- Albums that the bot has seen. The photos of an album arrive as separate messages, which get one reply together.
CREATE TABLE albums (
    chat_id        INTEGER NOT NULL,
    media_group_id TEXT    NOT NULL,
    message_id     INTEGER NOT NULL,   -- the message of the album that was handled first: the one with the caption
    seen_at        INTEGER NOT NULL,
    note_id        INTEGER,            -- the note that gets all its parts; NULL if it is no note
    PRIMARY KEY (chat_id, media_group_id)
) STRICT, WITHOUT ROWID;

-- When the bot polled last, and the name of the machine: one that was replaced meanwhile must not poll again. There is
-- at most one row.
CREATE TABLE last_poll (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    polled_at INTEGER NOT NULL,
    machine   TEXT    NOT NULL
) STRICT;

-- What the bot has asked a person for: their next message in this place completes the command.
CREATE TABLE awaited_texts (
    chat_id     INTEGER NOT NULL,
    thread_id   INTEGER NOT NULL,   -- the topic of the chat; 0 outside of topics
    user_id     INTEGER NOT NULL,
    command     TEXT    NOT NULL,
    text_before TEXT    NOT NULL,   -- what the person has given already, such as the number of a note
    asked_at    INTEGER NOT NULL,
    PRIMARY KEY (chat_id, thread_id, user_id)
) STRICT, WITHOUT ROWID;

-- The messages of the bot that show or confirm a note. A reply to such a message is about the note.
CREATE TABLE note_messages (
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    note_id    INTEGER NOT NULL,
    sent_at    INTEGER NOT NULL,
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ix_note_messages_time ON note_messages(sent_at);
