"""Streaming sessions: an order while it is spoken."""
