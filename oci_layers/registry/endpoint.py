"""Where the API of a registry is: the host to which requests for a domain go, by TLS or not."""

from collections.abc import Callable
from typing import TypeVar

from oci_layers.errors import UnreachableError
from oci_layers.registry.credentials import HUB, HUB_HOST
from oci_layers.registry.url import Origin, Url

__all__ = ["Endpoint"]

T = TypeVar("T")


class Endpoint:
    """The API of one registry. Thread-safe.

    TLS is tried first. Plain HTTP is used on this machine, or where it is asked for, once the server has shown that it
    speaks no TLS; no request with credentials can have been sent before (REG-14).
    """

    def __init__(self, domain: str, *, plain_http: bool = False) -> None:
        """Take the domain of references; Docker Hub has another host than its references say (REG-04).

        Raises:
            NameFormatError: The domain is no host, or its port is no port.
        """
        self.domain = domain
        self.plain_http = plain_http
        """Whether plain HTTP is asked for."""
        host = HUB_HOST if domain == HUB else domain
        self._base = Url.parse(f"https://{host}/v2/")
        self._plain = Url.parse(f"http://{host}/v2/")
        self._may_be_plain = plain_http or self._base.origin.is_loopback

    @property
    def origin(self) -> Origin:
        """The origin of the API, as far as it is known."""
        return self._base.origin

    def call(self, function: Callable[[Url], T]) -> T:
        """Return what a function returns that takes the URL of the API, and sends one request.

        Raises:
            UnreachableError: The registry cannot be reached.
        """
        base = self._base
        try:
            return function(base)
        except UnreachableError as error:
            if error.speaks_tls or not self._may_be_plain or not base.origin.is_secure:
                raise
        self._base = self._plain
        return function(self._plain)
