"""Suggestions for a basket."""
