"""The tables of the archive's own database; parts of the archive add theirs with `Store.add_tables`."""

CORE = """
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retired (
  kind TEXT NOT NULL, id TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS item (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('project','subject','experiment','assessor','scan','reconstruction')),
  id TEXT NOT NULL, label TEXT NOT NULL, xsi_type TEXT NOT NULL,
  project TEXT NOT NULL, parent INTEGER REFERENCES item (pk),
  folder TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'active', data TEXT NOT NULL DEFAULT '{}',
  created REAL NOT NULL, created_by TEXT NOT NULL, modified REAL NOT NULL, modified_by TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS item_project ON item (id COLLATE NOCASE) WHERE kind = 'project';
CREATE UNIQUE INDEX IF NOT EXISTS item_subject ON item (id) WHERE kind = 'subject';
CREATE UNIQUE INDEX IF NOT EXISTS item_experiment ON item (id) WHERE kind IN ('experiment', 'assessor');
CREATE UNIQUE INDEX IF NOT EXISTS item_subject_label ON item (project, label) WHERE kind = 'subject';
CREATE UNIQUE INDEX IF NOT EXISTS item_experiment_label ON item (project, label)
  WHERE kind IN ('experiment', 'assessor');
CREATE UNIQUE INDEX IF NOT EXISTS item_part ON item (parent, kind, id)
  WHERE kind IN ('scan', 'reconstruction');
CREATE INDEX IF NOT EXISTS item_of_project ON item (project, kind);
CREATE INDEX IF NOT EXISTS item_of_parent ON item (parent, kind);
CREATE INDEX IF NOT EXISTS item_folder ON item (project, kind, folder COLLATE NOCASE);

CREATE TABLE IF NOT EXISTS item_history (
  pk INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL REFERENCES item (pk) ON DELETE CASCADE,
  data TEXT NOT NULL, modified REAL NOT NULL, modified_by TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS item_history_of ON item_history (item);

CREATE TABLE IF NOT EXISTS share (
  item INTEGER NOT NULL REFERENCES item (pk) ON DELETE CASCADE,
  project TEXT NOT NULL, label TEXT NOT NULL, created REAL NOT NULL, created_by TEXT NOT NULL,
  PRIMARY KEY (item, project)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS share_of_project ON share (project, label);

CREATE TABLE IF NOT EXISTS resource (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  owner INTEGER NOT NULL REFERENCES item (pk) ON DELETE CASCADE,
  variant TEXT NOT NULL DEFAULT '', label TEXT NOT NULL,
  format TEXT NOT NULL DEFAULT '', content TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '', created REAL NOT NULL, created_by TEXT NOT NULL,
  UNIQUE (owner, variant, label)
);
CREATE TABLE IF NOT EXISTS file (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  resource INTEGER NOT NULL REFERENCES resource (pk) ON DELETE CASCADE,
  path TEXT NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL,
  format TEXT NOT NULL DEFAULT '', content TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '', created REAL NOT NULL, created_by TEXT NOT NULL,
  UNIQUE (resource, path)
);
CREATE INDEX IF NOT EXISTS file_without_digest ON file (pk) WHERE md5 = '';
CREATE TABLE IF NOT EXISTS journal (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  action TEXT NOT NULL CHECK (action IN ('put', 'drop', 'move')), source TEXT NOT NULL, target TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS user (
  login TEXT PRIMARY KEY COLLATE NOCASE, number INTEGER NOT NULL UNIQUE, password TEXT NOT NULL,
  first_name TEXT NOT NULL DEFAULT '', last_name TEXT NOT NULL DEFAULT '', email TEXT NOT NULL DEFAULT '',
  enabled INTEGER NOT NULL DEFAULT 1, verified INTEGER NOT NULL DEFAULT 1,
  created REAL NOT NULL, modified REAL NOT NULL, last_login REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS site_role (
  login TEXT NOT NULL COLLATE NOCASE REFERENCES user (login) ON DELETE CASCADE, role TEXT NOT NULL,
  PRIMARY KEY (login, role)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS membership (
  project TEXT NOT NULL, login TEXT NOT NULL COLLATE NOCASE REFERENCES user (login) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('owner', 'member', 'collaborator')),
  PRIMARY KEY (project, login)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS membership_of_user ON membership (login);
CREATE TABLE IF NOT EXISTS token (
  id INTEGER PRIMARY KEY AUTOINCREMENT, alias TEXT NOT NULL UNIQUE, secret TEXT NOT NULL,
  login TEXT NOT NULL COLLATE NOCASE REFERENCES user (login) ON DELETE CASCADE,
  created REAL NOT NULL, expires REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS invitation (
  id INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT NOT NULL UNIQUE, project TEXT NOT NULL, role TEXT NOT NULL,
  login TEXT NOT NULL DEFAULT '', email TEXT NOT NULL DEFAULT '', created REAL NOT NULL,
  created_by TEXT NOT NULL, approved TEXT NOT NULL DEFAULT '', approved_at REAL
);

CREATE TABLE IF NOT EXISTS invitation_reason (
  invitation INTEGER PRIMARY KEY REFERENCES invitation (id) ON DELETE CASCADE, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS visit (
  login TEXT NOT NULL COLLATE NOCASE REFERENCES user (login) ON DELETE CASCADE,
  project TEXT NOT NULL, moment REAL NOT NULL, PRIMARY KEY (login, project)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS favorite (
  login TEXT NOT NULL COLLATE NOCASE REFERENCES user (login) ON DELETE CASCADE,
  project TEXT NOT NULL, PRIMARY KEY (login, project)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS study_protocol (
  project TEXT NOT NULL, id TEXT NOT NULL, xml TEXT NOT NULL, PRIMARY KEY (project, id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS config (
  pk INTEGER PRIMARY KEY AUTOINCREMENT, tool TEXT NOT NULL, path TEXT NOT NULL,
  project TEXT NOT NULL DEFAULT '', version INTEGER NOT NULL, contents TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'enabled', reason TEXT NOT NULL DEFAULT '', login TEXT NOT NULL,
  created REAL NOT NULL, UNIQUE (tool, path, project, version)
);
CREATE TABLE IF NOT EXISTS workflow (
  pk INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, data_type TEXT NOT NULL DEFAULT '',
  external_id TEXT NOT NULL DEFAULT '', pipeline_name TEXT NOT NULL, status TEXT NOT NULL,
  launch_time REAL NOT NULL, modified REAL NOT NULL, login TEXT NOT NULL, data TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS workflow_of_item ON workflow (id, pipeline_name);
CREATE INDEX IF NOT EXISTS workflow_of_project ON workflow (external_id, status);
CREATE TABLE IF NOT EXISTS custom_field (
  item INTEGER NOT NULL REFERENCES item (pk) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (item, key)
) WITHOUT ROWID;
"""
