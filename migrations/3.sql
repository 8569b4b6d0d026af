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
    created_at INTEGER NOT NULL
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

-- An entry that picks a free model for each question.
INSERT INTO models (id, key, label, gateway) VALUES (0, 'free-by-task', 'Free model by task', 'router');

-- What each message that can be edited said last.
CREATE TABLE message_texts (
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    digest     INTEGER NOT NULL,
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;
