"""The HTTP layer; only it and app.py import Starlette."""
