"""Tell clients by webhooks what becomes of their orders.

The store writes an event in the transaction of the order (`voice/store/outbox.py`); `deliveries` claims events and sends them.
"""
