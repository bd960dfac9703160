"""The places in which one repository is read: its mirrors, in order, and then itself or what stands for it.

The first place that has an image gives its blobs as well; what it does not have of them, or cannot give, is asked of
the last place (REG-94). A place is passed over for whatever goes wrong with it, and named in the error of the last.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import attrs

from oci_layers.errors import OCIError
from oci_layers.registry.client import RegistryClient
from oci_layers.registry.exchange import Exchange
from oci_layers.spec.digest import Digest

__all__ = ["Source", "Sources"]

T = TypeVar("T")


@attrs.frozen
class Source:
    """A place, and what is asked of it."""

    client: RegistryClient
    by_tag: bool = True
    """Whether images are asked for by tag."""
    by_digest: bool = True
    """Whether images are asked for by digest."""


class Sources:
    """The places of one repository, and which of them gave which content. Thread-safe."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Take the places in their order; the last one is asked for everything."""
        self._sources = sources
        self._last = sources[-1].client
        self._givers: dict[Digest, RegistryClient] = {}

    def read(self, reference: str | Digest, ask: Callable[[RegistryClient], T]) -> T:
        """Return what the first place gives that gives anything; note that place for a digest.

        Raises:
            OCIError: What the last one raises; its notes say what went wrong with the others.
        """
        moments = [each.client.exchange.moment() for each in self._sources]
        failures: list[str] = []
        for client in self._order(reference):
            try:
                found = ask(client)
            except OCIError as error:
                if client is self._last or any(each.is_set() for each in moments):
                    for failure in failures:
                        error.add_note(failure)
                    raise
                failures.append(f"mirror {client.place}: {error}")
            else:
                if isinstance(reference, Digest):
                    self._givers[reference] = client
                return found
        raise AssertionError(reference)

    def _order(self, reference: str | Digest) -> list[RegistryClient]:
        giver = self._givers.get(reference) if isinstance(reference, Digest) else None
        if giver is not None:
            found = [giver]
        elif isinstance(reference, Digest):
            found = [each.client for each in self._sources if each.by_digest]
        else:
            found = [each.client for each in self._sources if each.by_tag]
        return [*(each for each in found if each is not self._last), self._last]

    def note(self, client: RegistryClient, digest: Digest) -> None:
        """Note which place gave a document by its tag."""
        self._givers[digest] = client

    def pass_on(self, digest: Digest, children: Iterable[Digest]) -> None:
        """Note the place of a document for what it lists."""
        giver = self._givers.get(digest)
        if giver is not None:
            for each in children:
                self._givers.setdefault(each, giver)

    @property
    def exchanges(self) -> set[Exchange]:
        """What sends the requests to the places."""
        return {each.client.exchange for each in self._sources}
