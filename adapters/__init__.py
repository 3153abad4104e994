"""Protocols of others, one thin file each, over the same domain, admission and limits as the routes of `app.py`."""
