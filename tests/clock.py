from typing import Generic, TypeVar

T = TypeVar("T")


class Clock(Generic[T]):
    """A clock that returns `now`."""

    def __init__(self, now: T) -> None:
        self.now = now

    def __call__(self) -> T:
        return self.now
