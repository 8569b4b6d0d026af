-- Version 2 to 3: deferred work has a table of its own (jobs), and some tables and columns have plainer names.

ALTER TABLE catalogues RENAME TO catalogs;
ALTER TABLE switches RENAME TO model_replacements;

-- The lane of a question was its user, or a number of its own for a question that was answered beside the others.
ALTER TABLE questions ADD COLUMN is_parallel INTEGER NOT NULL DEFAULT 0 CHECK (is_parallel IN (0, 1));
UPDATE questions SET is_parallel = 1 WHERE lane <> user_id;
DROP INDEX ix_questions_pending;
ALTER TABLE questions DROP COLUMN lane;
CREATE INDEX ix_questions_pending ON questions(user_id, id) WHERE state = 'pending';

ALTER TABLE llm_requests ADD COLUMN is_free INTEGER NOT NULL DEFAULT 0 CHECK (is_free IN (0, 1));
UPDATE llm_requests SET is_free = 1
    WHERE gateway = 'openrouter' AND (model LIKE '%:free' OR model = 'openrouter/free');

-- Why a request failed, and which model of which provider answered.
ALTER TABLE llm_requests ADD COLUMN cause TEXT;
ALTER TABLE llm_requests ADD COLUMN provider TEXT;
ALTER TABLE llm_requests ADD COLUMN answered_model TEXT;
ALTER TABLE llm_requests ADD COLUMN provider_latency_ms INTEGER;
ALTER TABLE llm_requests ADD COLUMN provider_requests INTEGER;

-- Deferred work was an attachment of a reply: {"kind": …, "user_id": …, <arguments>}. Some kinds had no user_id.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    reply_to   INTEGER,
    name       TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    arguments  TEXT    NOT NULL,
    progress   TEXT    NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    thread_id  INTEGER
) STRICT;
CREATE INDEX ix_jobs_user ON jobs(user_id, id);

INSERT INTO jobs (user_id, chat_id, reply_to, name, arguments, created_at)
    SELECT coalesce(json_extract(attachment, '$.user_id'), chat_id),
           chat_id,
           json_extract(calls, '$[0][1].reply_parameters.message_id'),
           CASE json_extract(attachment, '$.kind')
               WHEN 'notes' THEN 'export'
               WHEN 'models' THEN 'refresh_models'
               ELSE json_extract(attachment, '$.kind')
           END,
           json_remove(attachment, '$.kind', '$.user_id', '$.state'),
           created_at
    FROM outbox WHERE attachment IS NOT NULL ORDER BY id;
DELETE FROM outbox WHERE attachment IS NOT NULL;
ALTER TABLE outbox DROP COLUMN attachment;

ALTER TABLE questions ADD COLUMN thread_id INTEGER;

-- Which bot got the messages of older notes is unknown, so bot_id stays NULL. See db.get_note_by_message().
ALTER TABLE notes ADD COLUMN bot_id INTEGER;

-- Formatting, attachments, and where forwarded notes come from.
ALTER TABLE notes ADD COLUMN entities TEXT NOT NULL DEFAULT '[]';
ALTER TABLE notes ADD COLUMN search_extra TEXT NOT NULL DEFAULT '';
ALTER TABLE edits ADD COLUMN entities_before TEXT NOT NULL DEFAULT '[]';
ALTER TABLE plain_texts ADD COLUMN entities TEXT NOT NULL DEFAULT '[]';
ALTER TABLE plain_texts ADD COLUMN source TEXT;

CREATE TABLE attachments (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    note_id        INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
    chat_id        INTEGER NOT NULL,
    message_id     INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('photo', 'document', 'video', 'animation', 'audio', 'voice',
                                                    'video_note', 'sticker', 'location', 'venue', 'contact')),
    file_id        TEXT    NOT NULL DEFAULT '',
    file_unique_id TEXT    NOT NULL DEFAULT '',
    bot_id         INTEGER,
    file_name      TEXT,
    mime_type      TEXT,
    file_size      INTEGER,
    duration_s     INTEGER,
    width          INTEGER,
    height         INTEGER,
    details        TEXT    NOT NULL DEFAULT '{}',
    transcript     TEXT
) STRICT;
CREATE INDEX ix_attachments_note ON attachments(note_id, position);
CREATE INDEX ix_attachments_message ON attachments(chat_id, message_id);

CREATE TABLE sources (
    note_id INTEGER PRIMARY KEY REFERENCES notes(id) ON DELETE CASCADE,
    name    TEXT    NOT NULL,
    url     TEXT,
    sent_at INTEGER NOT NULL
) STRICT;
-- Notes that exist keep their numbers; the next number of a person follows the largest.
ALTER TABLE notes ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE notes SET number = id;
CREATE UNIQUE INDEX ux_notes_number ON notes(user_id, number);
ALTER TABLE notes ADD COLUMN pinned_at INTEGER;
CREATE INDEX ix_notes_pinned ON notes(user_id) WHERE pinned_at IS NOT NULL;
-- Most notes contain no answer, and need no entry here.
DROP INDEX ux_notes_question;
CREATE UNIQUE INDEX ux_notes_question ON notes(user_id, question_id)
    WHERE question_id IS NOT NULL AND deleted_at IS NULL;
ALTER TABLE people ADD COLUMN last_note_number INTEGER NOT NULL DEFAULT 0;
UPDATE people SET last_note_number = coalesce(
    (SELECT max(number) FROM notes WHERE notes.user_id = people.user_id), 0
);

ALTER TABLE people ADD COLUMN knows_transcription INTEGER NOT NULL DEFAULT 0 CHECK (knows_transcription IN (0, 1));

CREATE TABLE transcriptions (
    attachment_id INTEGER PRIMARY KEY REFERENCES attachments(id) ON DELETE CASCADE,
    user_id       INTEGER NOT NULL,
    chat_id       INTEGER NOT NULL,
    message_id    INTEGER NOT NULL,
    thread_id     INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX ix_transcriptions_user ON transcriptions(user_id, attachment_id);

CREATE TABLE message_parts (
    chat_id          INTEGER NOT NULL,
    message_id       INTEGER NOT NULL,
    user_id          INTEGER NOT NULL,
    first_message_id INTEGER NOT NULL,
    text             TEXT    NOT NULL,
    length           INTEGER NOT NULL,
    sent_at          INTEGER NOT NULL,
    entities         TEXT    NOT NULL DEFAULT '[]',
    note_id          INTEGER,
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ix_message_parts_user ON message_parts(user_id, chat_id, sent_at);

CREATE TABLE albums (
    chat_id        INTEGER NOT NULL,
    media_group_id TEXT    NOT NULL,
    message_id     INTEGER NOT NULL,
    seen_at        INTEGER NOT NULL,
    note_id        INTEGER,
    PRIMARY KEY (chat_id, media_group_id)
) STRICT, WITHOUT ROWID;

-- The search index now compares texts in the form that fold() of unicode_text.py returns.
DROP TRIGGER notes_insert;
DROP TRIGGER notes_update_text;
DROP TRIGGER notes_update_deleted;
DROP TRIGGER notes_delete;
DROP VIEW notes_folded;

CREATE VIEW notes_folded AS
    SELECT people.number << 40 | notes.id AS id,
           fold(notes.text || notes.search_extra) || '  ' AS text
    FROM notes JOIN people ON people.user_id = notes.user_id;

DROP TABLE notes_terms;
CREATE VIRTUAL TABLE notes_terms USING fts5vocab(notes_fts, instance);

-- The index of words.
CREATE VIEW notes_keys AS
    SELECT people.number << 40 | notes.id AS id,
           word_keys(notes.text || notes.search_extra) AS keys
    FROM notes JOIN people ON people.user_id = notes.user_id;

CREATE VIRTUAL TABLE notes_words USING fts5(
    keys, content = 'notes_keys', content_rowid = 'id', detail = none, columnsize = 0,
    tokenize = "ascii tokenchars '_'"
);

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

INSERT INTO notes_fts(notes_fts) VALUES ('rebuild');
INSERT INTO notes_words(notes_words) VALUES ('rebuild');

ALTER TABLE listings ADD COLUMN since INTEGER;
ALTER TABLE listings ADD COLUMN until INTEGER;
CREATE INDEX ix_notes_created ON notes(user_id, created_at) WHERE deleted_at IS NULL;

-- Tags.
CREATE TABLE note_tags (
    user_id INTEGER NOT NULL,
    tag     TEXT    NOT NULL,
    note_id INTEGER NOT NULL,
    label   TEXT    NOT NULL,
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

INSERT INTO note_tags
    SELECT user_id, key, notes.id, value FROM notes, json_each(tags(text, entities))
    WHERE deleted_at IS NULL AND instr(text, '#');

-- An entry that picks a free model for each question.
INSERT INTO models (id, key, label, gateway) VALUES (0, 'free-by-task', 'Free model by task', 'router');

-- The answer cache.
ALTER TABLE questions ADD COLUMN is_repeat INTEGER NOT NULL DEFAULT 0 CHECK (is_repeat IN (0, 1));
ALTER TABLE questions ADD COLUMN pictures TEXT NOT NULL DEFAULT '[]';
ALTER TABLE questions ADD COLUMN speech TEXT;
ALTER TABLE models ADD COLUMN sees_images INTEGER NOT NULL DEFAULT 0 CHECK (sees_images IN (0, 1));
CREATE TABLE answer_cache (
    user_id        INTEGER NOT NULL,
    model_id       INTEGER NOT NULL REFERENCES models(id),
    key            TEXT    NOT NULL,
    question_id    INTEGER NOT NULL REFERENCES questions(id) ON DELETE CASCADE,
    answered_by_id INTEGER NOT NULL REFERENCES models(id),
    model          TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (user_id, model_id, key)
) STRICT, WITHOUT ROWID;

-- What each message that can be edited said last.
CREATE TABLE message_texts (
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    digest     INTEGER NOT NULL,
    sent_at    INTEGER NOT NULL,
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

-- The moment that counts as now when old rows are deleted.
CREATE TABLE purge_clock (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    moment INTEGER NOT NULL
) STRICT;

-- Personal settings, and conversations in the topics of private chats.
CREATE TABLE personal_settings (
    user_id      INTEGER PRIMARY KEY,
    timezone     TEXT,
    prompt       TEXT,
    model_id     INTEGER REFERENCES models(id),
    plain_text   TEXT CHECK (plain_text IN ('note', 'ask_first')),
    confirmation TEXT CHECK (confirmation IN ('reply', 'reaction'))
) STRICT;
CREATE TABLE topics (
    chat_id        INTEGER NOT NULL,
    thread_id      INTEGER NOT NULL,
    after_question INTEGER NOT NULL,
    PRIMARY KEY (chat_id, thread_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ix_questions_topic ON questions(chat_id, thread_id, id) WHERE thread_id IS NOT NULL;
-- What the deletion of old questions looks up, and the sums of old requests.
CREATE INDEX ix_questions_parent ON questions(parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_questions_finished ON questions(finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX ix_answer_messages_question ON answer_messages(question_id);
CREATE TABLE llm_usage_days (
    day      INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    model    TEXT    NOT NULL,
    requests INTEGER NOT NULL,
    tokens   INTEGER NOT NULL,
    cost     REAL    NOT NULL,
    PRIMARY KEY (day, user_id, model)
) STRICT, WITHOUT ROWID;

-- When the bot polled last, and the name of the machine: one that was replaced meanwhile must not poll again. There is
-- at most one row.
CREATE TABLE last_poll (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    polled_at INTEGER NOT NULL,
    machine   TEXT    NOT NULL
) STRICT;

-- What the bot has asked a person for.
CREATE TABLE awaited_texts (
    chat_id     INTEGER NOT NULL,
    thread_id   INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    command     TEXT    NOT NULL,
    text_before TEXT    NOT NULL,
    asked_at    INTEGER NOT NULL,
    PRIMARY KEY (chat_id, thread_id, user_id)
) STRICT, WITHOUT ROWID;

-- The messages of the bot that show or confirm a note.
ALTER TABLE outbox ADD COLUMN note_id INTEGER;
CREATE TABLE note_messages (
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    note_id    INTEGER NOT NULL,
    sent_at    INTEGER NOT NULL,
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ix_note_messages_time ON note_messages(sent_at);

-- Notes that were deleted together.
CREATE INDEX ix_notes_trash ON notes(user_id, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TABLE deletions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    numbers    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Reminders.
CREATE TABLE reminders (
    id         INTEGER PRIMARY KEY,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    thread_id  INTEGER,
    note_id    INTEGER REFERENCES notes(id) ON DELETE CASCADE,
    text       TEXT    NOT NULL,
    starts_at  TEXT    NOT NULL,
    repeat     TEXT    NOT NULL CHECK (repeat IN ('', 'day', 'week', 'month', 'year')),
    due_at     INTEGER NOT NULL,
    is_waiting INTEGER NOT NULL DEFAULT 1 CHECK (is_waiting IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ix_reminders_due ON reminders(due_at) WHERE is_waiting = 1;
CREATE INDEX ix_reminders_user ON reminders(user_id, due_at) WHERE is_waiting = 1;
CREATE INDEX ix_reminders_note ON reminders(note_id) WHERE note_id IS NOT NULL;
