"""Tables of the event service."""

from __future__ import annotations

SCRIPT = """
CREATE TABLE IF NOT EXISTS ev_subscription (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, project TEXT NOT NULL DEFAULT '',
  owner TEXT NOT NULL, active INTEGER NOT NULL, as_event_user INTEGER NOT NULL,
  action_key TEXT NOT NULL, attributes TEXT NOT NULL, event_type TEXT NOT NULL, status TEXT NOT NULL,
  projects TEXT NOT NULL, payload_filter TEXT NOT NULL DEFAULT '', created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS ev_delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT, subscription INTEGER NOT NULL, subscription_name TEXT NOT NULL,
  event_type TEXT NOT NULL, event_status TEXT NOT NULL, project TEXT NOT NULL, uri TEXT NOT NULL,
  xsi_type TEXT NOT NULL, login TEXT NOT NULL, created REAL NOT NULL, pending INTEGER NOT NULL DEFAULT 1,
  error INTEGER NOT NULL DEFAULT 0, run INTEGER, inputs TEXT NOT NULL DEFAULT '{}',
  label TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS ev_delivery_pending ON ev_delivery (pending, id);
CREATE TABLE IF NOT EXISTS ev_step (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  delivery INTEGER NOT NULL REFERENCES ev_delivery (id) ON DELETE CASCADE,
  status TEXT NOT NULL, time REAL NOT NULL, message TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS ev_step_of_delivery ON ev_step (delivery, id);
"""
