"""Menu files."""
