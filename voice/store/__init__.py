"""Durable data in SQLite or PostgreSQL: orders, refresh tokens, fitted models."""
