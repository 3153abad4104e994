"""The store of the service: orders and their events, token families, fitted models, clients' menus and kept utterances in one database."""

from voice.store.fitted_models import FittedModelStore
from voice.store.menus import MenuStore
from voice.store.orders import OrderStore
from voice.store.outbox import OutboxStore
from voice.store.token_families import TokenFamilyStore
from voice.store.utterances import UtteranceStore


class Store(OrderStore, OutboxStore, TokenFamilyStore, FittedModelStore, MenuStore, UtteranceStore):
    """All parts of the store. Any number of processes may use one database."""
