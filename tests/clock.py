from typing import Generic, TypeVar

T = TypeVar("T")


class Clock(Generic[T]):
    """A clock that stands still until it is set."""

    def __init__(self, now: T) -> None:
        self.now = now

    def __call__(self) -> T:
        return self.now
