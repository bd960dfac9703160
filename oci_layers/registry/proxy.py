"""Which proxy a request goes through, by the environment, with the rules of Go's `httpproxy` (REG-20).

`HTTPS_PROXY` and `HTTP_PROXY` name the proxies by the scheme of the URL, and `NO_PROXY` the hosts that are
asked directly: names with all below them, `.name` or `*.name` for those below alone, addresses, networks, each perhaps
with a port, and `*` for all. Upper-case names count before lower-case ones. The loopback is always asked directly.
"""

import base64
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import attrs

from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.registry.url import Origin, Url

__all__ = ["Proxy", "proxy_for"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PORT = re.compile(r"(\[.*\]|[^:]*):([^:]*)")


@attrs.frozen
class Proxy:
    """A proxy, and what it wants to see."""

    origin: Origin
    authorization: str | None = attrs.field(default=None, repr=False)
    """The value of `Proxy-Authorization` (RFC 9110, 11.7)."""


def proxy_for(origin: Origin, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy through which a server is asked, None if it is asked directly.

    Raises:
        NameFormatError: The variable of the environment names no proxy.
        UnsupportedError: It is no proxy of HTTP.
    """
    name = "HTTPS_PROXY" if origin.is_secure else "HTTP_PROXY"
    text = _variable(environ, name)
    if not text or _is_direct(origin, _variable(environ, "NO_PROXY")):
        return None
    if name == "HTTP_PROXY" and environ.get("REQUEST_METHOD"):
        raise UnsupportedError("environment", name, "a CGI program may have it from a header of its client")
    return _parse(name, text)


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.lower()) or ""


def _parse(name: str, text: str) -> Proxy:
    scheme = _SCHEME.match(text)
    if scheme is None:
        text = f"http://{text}"
    elif scheme[1].lower() not in {"http", "https"}:
        raise UnsupportedError("proxy", f"{scheme[1]}://", f"{name} may be http://HOST:PORT or https://HOST:PORT")
    before, _, rest = text.partition("://")
    user, at, host = rest.partition("/")[0].rpartition("@")
    try:
        origin = Url.parse(f"{before.lower()}://{host}").origin
    except NameFormatError as error:
        raise NameFormatError(name, error.text, "expected http://HOST:PORT") from None
    if not at:
        return Proxy(origin)
    name_part, _, password = user.partition(":")
    token = base64.b64encode(unquote_to_bytes(name_part) + b":" + unquote_to_bytes(password)).decode()
    return Proxy(origin, f"Basic {token}")


def _is_direct(origin: Origin, listed: str) -> bool:
    """Return whether a host is asked without a proxy."""
    host = origin.host.strip("[]")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(entry.strip().lower(), host, origin.port, address) for entry in listed.split(","))


def _matches(entry: str, host: str, port: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if entry in {"", "*"}:
        return entry == "*"
    if "/" in entry:
        return address is not None and _is_in(address, entry)
    parts = _PORT.fullmatch(entry)
    name, only = parts.groups() if parts else (entry, "")
    if not name or (only and only != str(port)):
        return False
    wanted = _address(name.strip("[]"))
    if wanted is not None:
        return wanted == address
    below = name.removeprefix("*")
    if below.startswith("."):
        return host.endswith(below)
    return host == below or host.endswith(f".{below}")


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
