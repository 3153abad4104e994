"""Orders, token families and fitted models in SQLite or PostgreSQL."""
