"""Other people's protocols, over the same domain, admission and limits as the routes of `app.py`."""
