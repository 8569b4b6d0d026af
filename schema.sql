-- What the bot remembers. A fresh database is made from this file; an older one is brought to the
-- same shape by the numbered migrations in db.py. All times are Unix seconds (UTC).

-- A person's notes. A number is never given twice (AUTOINCREMENT), so «#12» means one note for ever.
CREATE TABLE notes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,   -- the message that brought the note
    text       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,   -- when the person sent it
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,            -- NULL while the note is alive
    question_id INTEGER            -- the question whose answer it keeps; NULL for a note of one's own
) STRICT;

CREATE INDEX ix_notes_user ON notes(user_id, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_notes_message ON notes(chat_id, message_id);
CREATE INDEX ix_notes_deleted ON notes(deleted_at) WHERE deleted_at IS NOT NULL;
CREATE UNIQUE INDEX ux_notes_question ON notes(user_id, question_id) WHERE deleted_at IS NULL;

-- Everyone who has notes, numbered: the number is small, so that it fits beside a note's in one integer.
CREATE TABLE people (
    number  INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL UNIQUE,
    notes   INTEGER NOT NULL DEFAULT 0   -- how many are alive; kept by the triggers: to count a million takes a while
) STRICT;

-- Search by any piece of a word: every three letters in a row are a term of the index, whatever their
-- case. The view is what the index reads: people type «еж» and mean «ёж», and behind two spaces every letter
-- begins a term, the last one too. A note's row in the index has the number (person << 40 | note): one person's
-- notes lie together, and a search looks at nobody else's.
CREATE VIEW notes_folded AS
    SELECT people.number << 40 | notes.id AS id,
           replace(replace(notes.text, 'ё', 'е'), 'Ё', 'Е') || '  ' AS text
    FROM notes JOIN people ON people.user_id = notes.user_id;

CREATE VIRTUAL TABLE notes_fts USING fts5(
    text, content = 'notes_folded', content_rowid = 'id', tokenize = 'trigram'
);

-- The terms of the index: one or two letters are searched for by the terms that begin with them.
CREATE VIRTUAL TABLE notes_terms USING fts5vocab(notes_fts, row);

-- The index keeps no copy of the text, so a row leaves it only by showing the text it came with.
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

-- What a note said before an edit, so that the edit can be undone.
CREATE TABLE edits (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    note_id     INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
    text_before TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX ix_edits_note ON edits(note_id);

-- A list or a search that a person turns the pages of: its buttons have room for a number only.
CREATE TABLE listings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    query      TEXT    NOT NULL,   -- '' for a list of all notes
    page_size  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- A text without a command: kept until the person says by a button what it is meant to be.
CREATE TABLE plain_texts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    is_asked   INTEGER NOT NULL DEFAULT 0 CHECK (is_asked IN (0, 1)),   -- a model was, what it says
    sent_at    INTEGER NOT NULL,
    UNIQUE (chat_id, message_id)
) STRICT;

-- The language models that can be chosen. At most one is active: the index holds a single 1.
CREATE TABLE models (
    id             INTEGER PRIMARY KEY,
    key            TEXT    NOT NULL,          -- the gateway's name for it
    label          TEXT    NOT NULL,          -- the name for people
    active         INTEGER NOT NULL DEFAULT 0 CHECK (active IN (0, 1)),
    gateway        TEXT    NOT NULL DEFAULT 'openrouter',
    available      INTEGER NOT NULL DEFAULT 1 CHECK (available IN (0, 1)),   -- 0: gone, as far as we know
    context_length INTEGER,                   -- in tokens; NULL while unknown
    category       TEXT    NOT NULL DEFAULT 'text' CHECK (category IN ('text', 'image')),   -- what it answers with
    UNIQUE (gateway, key)
) STRICT;

CREATE UNIQUE INDEX ux_models_single_active ON models(active) WHERE active = 1;

-- The first four are the course's; OpenRouter has withdrawn them since.
INSERT INTO models (id, key, label, active, available) VALUES
    (1,  'deepseek/deepseek-chat-v3.1:free',               'DeepSeek V3.1 (free)',          1, 0),
    (2,  'deepseek/deepseek-r1:free',                      'DeepSeek R1 (free)',            0, 0),
    (3,  'mistralai/mistral-small-24b-instruct-2501:free', 'Mistral Small 24b (free)',      0, 0),
    (4,  'meta-llama/llama-3.1-8b-instruct:free',          'Llama 3.1 8B (free)',           0, 0),
    (5,  'google/gemma-4-31b-it:free',                     'Gemma 4 31B (free)',            0, 1),
    (6,  'google/gemma-4-26b-a4b-it:free',                 'Gemma 4 26B A4B (free)',        0, 1),
    (7,  'nvidia/nemotron-3.5-lightning:free',             'Nemotron 3.5 Lightning (free)', 0, 1),
    (8,  'nvidia/nemotron-3-ultra-550b-a55b:free',         'Nemotron 3 Ultra 550B (free)',  0, 1),
    (9,  'cohere/north-mini-code:free',                    'North Mini Code (free)',        0, 1),
    (10, 'openrouter/free',                                'OpenRouter: any free model',    0, 1);

-- When each gateway last told its models. No row: it never did.
CREATE TABLE catalogues (
    gateway    TEXT    PRIMARY KEY,
    fetched_at INTEGER NOT NULL
) STRICT;

-- The active model has vanished and another took its place: told once, to the person who asks next.
CREATE TABLE switches (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    vanished TEXT NOT NULL,
    active   TEXT NOT NULL
) STRICT;

-- Questions to a model: written down before they are asked, so that a restart answers them all the same.
CREATE TABLE questions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    chat_id     INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,   -- the message that asked
    is_private  INTEGER NOT NULL CHECK (is_private IN (0, 1)),   -- only there can an answer be shown as it grows
    kind        TEXT    NOT NULL CHECK (kind IN ('ask', 'compare', 'web', 'note_ask')),
    lane        INTEGER NOT NULL,   -- those of one lane are answered one after another
    parent_id   INTEGER REFERENCES questions(id),            -- the question before it in the talk
    model_id    INTEGER NOT NULL REFERENCES models(id),      -- active when it was asked
    text        TEXT    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'answered', 'stopped', 'failed')),
    stop_at     INTEGER,            -- when the person pressed Stop
    answer      TEXT,               -- NULL until answered
    asked_at    INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

CREATE INDEX ix_questions_pending ON questions(lane, id) WHERE state = 'pending';
CREATE INDEX ix_questions_user ON questions(user_id, asked_at);

-- Which messages of ours hold the answer to which question: a reply to one of them goes on with the talk.
CREATE TABLE answer_messages (
    chat_id     INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,
    question_id INTEGER NOT NULL REFERENCES questions(id),
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

-- The ledger: every HTTP request to a model, whatever came of it.
CREATE TABLE llm_requests (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at        INTEGER NOT NULL,
    user_id           INTEGER NOT NULL,
    module            TEXT    NOT NULL,   -- what asked: the kind of the question
    gateway           TEXT    NOT NULL,
    model             TEXT    NOT NULL,   -- the key that was asked
    generation_id     TEXT,               -- the gateway's name for the answer
    status            INTEGER NOT NULL,   -- HTTP status; 0 if none came
    finish_reason     TEXT,               -- stop, length, …; ours: stopped, cut
    latency_ms        INTEGER NOT NULL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    reasoning_tokens  INTEGER,
    cost              REAL                -- in USD; NULL while unknown
) STRICT;

CREATE INDEX ix_llm_requests_time ON llm_requests(created_at);

-- Replies on their way to Telegram. A row goes when Telegram has said OK to all its calls.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id     INTEGER NOT NULL,
    calls       TEXT    NOT NULL,   -- JSON: [[method, params], …], one message each, to be made in this order
    attachment  TEXT,               -- JSON: what runtime/files.py makes at sending, for the first call
    question_id INTEGER,            -- the question that the messages answer
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX ix_outbox_chat ON outbox(chat_id, id);

-- Updates already handled. Telegram sends an update again until it is confirmed, and its numbers start
-- anew at random after a week of silence: so a repeat is known by membership, not by «not above the last».
CREATE TABLE handled_updates (
    update_id  INTEGER PRIMARY KEY,
    handled_at INTEGER NOT NULL
) STRICT;
