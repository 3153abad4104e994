"""The store of the service: all of its concerns on one database."""

from voice.store.fitted_models import FittedModelStore
from voice.store.orders import OrderStore
from voice.store.token_families import TokenFamilyStore


class Store(OrderStore, TokenFamilyStore, FittedModelStore):
    """Orders, token families and fitted models. Any number of processes may use one database."""
