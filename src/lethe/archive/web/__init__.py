"""The HTTP face of the archive: one ASGI application over the storage layer."""
