"""The production stack of ``docker-compose.yml``: settings and secrets, artifacts, backup and drill."""
