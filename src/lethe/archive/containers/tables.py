"""Tables of the Container Service in the archive's database."""

from __future__ import annotations

SCRIPT = """
CREATE TABLE IF NOT EXISTS cs_hub (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, url TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS cs_command (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version TEXT NOT NULL, image TEXT NOT NULL,
  document TEXT NOT NULL, created REAL NOT NULL, created_by TEXT NOT NULL, UNIQUE (name, version)
);
CREATE TABLE IF NOT EXISTS cs_wrapper (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  command INTEGER NOT NULL REFERENCES cs_command (id) ON DELETE CASCADE,
  name TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (command, name)
);
CREATE TABLE IF NOT EXISTS cs_enabled (
  wrapper INTEGER NOT NULL, project TEXT NOT NULL DEFAULT '', enabled INTEGER NOT NULL,
  PRIMARY KEY (wrapper, project)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cs_config (
  wrapper INTEGER NOT NULL, project TEXT NOT NULL DEFAULT '', document TEXT NOT NULL,
  PRIMARY KEY (wrapper, project)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS cs_run (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  command INTEGER NOT NULL, wrapper INTEGER NOT NULL, wrapper_name TEXT NOT NULL,
  definition TEXT NOT NULL, config TEXT NOT NULL, params TEXT NOT NULL,
  project TEXT NOT NULL, login TEXT NOT NULL, root_uri TEXT NOT NULL DEFAULT '', workflow INTEGER,
  bulk TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'finalizing', 'ended')),
  status TEXT NOT NULL, status_time REAL NOT NULL, created REAL NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 1, backend TEXT NOT NULL DEFAULT '', handle TEXT NOT NULL DEFAULT '',
  plan TEXT, alias TEXT NOT NULL DEFAULT '', exit_code INTEGER, killed_by TEXT NOT NULL DEFAULT '',
  outputs TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS cs_run_of_state ON cs_run (state, id);
CREATE INDEX IF NOT EXISTS cs_run_of_project ON cs_run (project, id);
CREATE INDEX IF NOT EXISTS cs_run_of_login ON cs_run (login, id);
CREATE TABLE IF NOT EXISTS cs_history (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES cs_run (id) ON DELETE CASCADE,
  status TEXT NOT NULL, entity_type TEXT NOT NULL, entity_id TEXT NOT NULL DEFAULT '',
  time REAL NOT NULL, exit_code INTEGER, message TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS cs_history_of_run ON cs_history (run, id);
"""
