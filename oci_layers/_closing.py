"""What has to be closed, as a context manager."""

from typing import Self

__all__ = ["Closing"]


class Closing:
    """A base of classes that close themselves at the end of a block."""

    __slots__ = ()

    def close(self) -> None:
        """Release what is held; idempotent."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
