"""Absolute URLs of HTTP, and the origins to which credentials belong.

A URL is kept as the server wrote it: `Location` of an upload is opaque, and the query of a storage URL is signed, so
no part is decoded and written again (REG-67). An origin is scheme, host and port, compared as a whole (RFC 6454).
"""

import ipaddress
import re
from typing import Self
from urllib.parse import quote, urljoin

import attrs

from oci_layers.errors import NameFormatError

__all__ = ["Origin", "Url"]

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:]++\]|[A-Za-z0-9._-]++)(?::([0-9]{1,5}+))?+(/[^?#]*+)?+(?:\?([^#]*+))?+(?:#.*)?+"
)
_PLAIN = re.compile(r"[!-~]*+")
_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]*+|[0-9]++)\.?+|(?:[0-9A-Za-z-]++\.)*+(?:0[xX][0-9A-Fa-f]*+|[0-9]++)\.?+")
_LONGEST = 8 << 10


@attrs.frozen
class Origin:
    """A server as credentials know it: scheme, host and port."""

    scheme: str
    """`http` or `https`."""
    host: str
    """The name or address, in lower case; an IPv6 address is in brackets."""
    port: int

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine: `localhost`, a name below it (RFC 6761), or an address of the loopback."""
        address = self._address()
        if address is None:
            return self.host == "localhost" or self.host.endswith(".localhost")
        return address.is_loopback

    @property
    def is_local(self) -> bool:
        """Whether it is no server of the public Internet: the loopback, or an address that is not global.

        A host that a resolver may take for an address in another form, such as `0x7f.1`, is local as well. Names are
        not resolved.
        """
        address = self._address()
        if address is not None:
            return not address.is_global or address.is_multicast
        return self.is_loopback or _NUMBER.fullmatch(self.host) is not None

    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            address = ipaddress.ip_address(self.host.strip("[]"))
        except ValueError:
            return None
        return getattr(address, "ipv4_mapped", None) or address

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


@attrs.frozen(repr=False)
class Url:
    """A URL of HTTP. As text it has no query, which may hold secrets; `full` has it."""

    origin: Origin
    path: str
    """The path, which begins with a slash."""
    query: str | None = None
    """The query without its question mark; None if there is none."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an absolute URL; a fragment is left out.

        Raises:
            NameFormatError: It is not one of `http` or `https`, names a user, or has a character that no URL has.
        """
        found = _URL.fullmatch(text) if len(text) <= _LONGEST and _PLAIN.fullmatch(text) and "\\" not in text else None
        if found is None:
            raise NameFormatError("URL", _shown(text), "it is not a URL of http or https without a user")
        scheme, host, port, path, query = found.groups()
        number = int(port) if port else _PORTS[scheme]
        if not 0 < number < 1 << 16:
            raise NameFormatError("URL", _shown(text), "the port is not between 1 and 65535")
        if host.startswith("["):
            try:
                ipaddress.IPv6Address(host[1:-1])
            except ValueError:
                raise NameFormatError("URL", _shown(text), "the address is not one of IPv6") from None
        return cls(Origin(scheme, host.lower(), number), path or "/", query)

    def join(self, location: str) -> Self:
        """Return the URL of a `Location` or a `Link` in the answer of this URL (RFC 3986, 5).

        Raises:
            NameFormatError: It is not a URL of `http` or `https`.
        """
        try:
            return self.parse(urljoin(self.full, location))
        except ValueError as error:
            if isinstance(error, NameFormatError):
                raise
            raise NameFormatError("URL", _shown(location), str(error)) from None

    def with_parameter(self, name: str, value: str) -> Self:
        """Return the URL with one more parameter at the end of its query, the rest of which stays as it is."""
        parameter = f"{quote(name, safe='')}={quote(value, safe=':/')}"
        return attrs.evolve(self, query=f"{self.query}&{parameter}" if self.query else parameter)

    def __truediv__(self, path: str) -> Self:
        """Return the URL of a path below this one, without a query."""
        return attrs.evolve(self, path=f"{self.path.rstrip('/')}/{path}", query=None)

    @property
    def target(self) -> str:
        """The path and the query, as a request has them."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def full(self) -> str:
        """The whole URL."""
        return f"{self.origin}{self.target}"

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"


def _shown(text: str) -> str:
    """Return what may be shown of a text that is no URL: neither a user with a password nor a query."""
    return re.sub("//.*@", "//", text.partition("?")[0])
