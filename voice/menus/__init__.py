"""Menu files: parsing (bounded_yaml), loading and reloading (loading)."""
