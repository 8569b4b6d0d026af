-- From version 1: search by one or two letters, undo, pages, plain texts, questions to one's notes.

CREATE INDEX ix_notes_message ON notes(chat_id, message_id);
CREATE INDEX ix_notes_deleted ON notes(deleted_at) WHERE deleted_at IS NOT NULL;

ALTER TABLE people ADD COLUMN notes INTEGER NOT NULL DEFAULT 0;
UPDATE people SET notes = (
    SELECT count(*) FROM notes WHERE notes.user_id = people.user_id AND deleted_at IS NULL
);

DROP TRIGGER notes_fts_insert;
DROP TRIGGER notes_fts_update;
DROP TRIGGER notes_fts_delete;
DROP TABLE notes_fts;
DROP VIEW notes_folded;

CREATE VIEW notes_folded AS
    SELECT people.number << 40 | notes.id AS id,
           replace(replace(notes.text, 'ё', 'е'), 'Ё', 'Е') || '  ' AS text
    FROM notes JOIN people ON people.user_id = notes.user_id;
CREATE VIRTUAL TABLE notes_fts USING fts5(
    text, content = 'notes_folded', content_rowid = 'id', tokenize = 'trigram'
);
INSERT INTO notes_fts(notes_fts) VALUES ('rebuild');
CREATE VIRTUAL TABLE notes_terms USING fts5vocab(notes_fts, row);

CREATE TRIGGER notes_insert AFTER INSERT ON notes BEGIN
    INSERT INTO people (user_id, notes) VALUES (new.user_id, 1)
        ON CONFLICT (user_id) DO UPDATE SET notes = notes + 1;
    INSERT INTO notes_fts(rowid, text) VALUES (
        (SELECT number << 40 | new.id FROM people WHERE user_id = new.user_id),
        replace(replace(new.text, 'ё', 'е'), 'Ё', 'Е') || '  ');
END;
CREATE TRIGGER notes_update_text AFTER UPDATE OF text ON notes BEGIN
    INSERT INTO notes_fts(notes_fts, rowid, text) VALUES ('delete',
        (SELECT number << 40 | old.id FROM people WHERE user_id = old.user_id),
        replace(replace(old.text, 'ё', 'е'), 'Ё', 'Е') || '  ');
    INSERT INTO notes_fts(rowid, text) VALUES (
        (SELECT number << 40 | new.id FROM people WHERE user_id = new.user_id),
        replace(replace(new.text, 'ё', 'е'), 'Ё', 'Е') || '  ');
END;
CREATE TRIGGER notes_update_deleted AFTER UPDATE OF deleted_at ON notes
    WHEN (old.deleted_at IS NULL) <> (new.deleted_at IS NULL)
BEGIN
    UPDATE people SET notes = notes + iif(new.deleted_at IS NULL, 1, -1) WHERE user_id = new.user_id;
END;
CREATE TRIGGER notes_delete AFTER DELETE ON notes BEGIN
    INSERT INTO notes_fts(notes_fts, rowid, text) VALUES ('delete',
        (SELECT number << 40 | old.id FROM people WHERE user_id = old.user_id),
        replace(replace(old.text, 'ё', 'е'), 'Ё', 'Е') || '  ');
    UPDATE people SET notes = notes - (old.deleted_at IS NULL) WHERE user_id = old.user_id;
END;

CREATE TABLE edits (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    note_id     INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
    text_before TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX ix_edits_note ON edits(note_id);

CREATE TABLE listings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    query      TEXT    NOT NULL,
    page_size  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE plain_texts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    is_asked   INTEGER NOT NULL DEFAULT 0 CHECK (is_asked IN (0, 1)),
    sent_at    INTEGER NOT NULL,
    UNIQUE (chat_id, message_id)
) STRICT;

-- A CHECK cannot be altered: the table is made anew. The foreign keys that point to it go by its name.
CREATE TABLE new_questions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    chat_id     INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,
    is_private  INTEGER NOT NULL CHECK (is_private IN (0, 1)),
    kind        TEXT    NOT NULL CHECK (kind IN ('ask', 'compare', 'web', 'note_ask')),
    lane        INTEGER NOT NULL,
    parent_id   INTEGER REFERENCES questions(id),
    model_id    INTEGER NOT NULL REFERENCES models(id),
    text        TEXT    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'answered', 'stopped', 'failed')),
    stop_at     INTEGER,
    answer      TEXT,
    asked_at    INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
INSERT INTO new_questions SELECT * FROM questions;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'questions')
    WHERE name = 'new_questions' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'questions');
DROP TABLE questions;
ALTER TABLE new_questions RENAME TO questions;
CREATE INDEX ix_questions_pending ON questions(lane, id) WHERE state = 'pending';
CREATE INDEX ix_questions_user ON questions(user_id, asked_at);
