"""What the service knows, without HTTP."""
