"""Let other threads run while compiled code takes long.

Compiled modules hold the interpreter's lock until they call interpreted code: without this, the compilation of a menu of 5,000 items stalls
the event loop for half a second.
"""


def let_others_run() -> None:
    """Do nothing. The interpreter hands its lock to a waiting thread at the entry of an interpreted function: keep this module so."""
