"""The errors of registries, and of what lies between."""

import attrs

from oci_layers._error import OCIError
from oci_layers._text import shortened

__all__ = ["AccessDeniedError", "RateLimitError", "RegistryError", "UnreachableError"]


@attrs.define(eq=False, slots=False, str=False)
class RegistryError(OCIError):
    """A registry that refuses a request, or whose answer the protocol does not allow.

    `place` is the URL without its query, which may hold secrets.
    """

    place: str
    reason: str
    status: int | None = None
    """The status of the answer; None if none came, or if it is not to blame."""
    codes: tuple[str, ...] = ()
    """The codes that the registry gives, such as `DENIED` (distribution-spec, "Error Codes")."""

    def _sentence(self) -> str:
        return f"{shortened(self.place)}: {self.reason}"


class AccessDeniedError(RegistryError):
    """A registry that asks for other credentials, or for more rights than these have (status 401, 403)."""


@attrs.define(eq=False, slots=False, str=False)
class RateLimitError(RegistryError):
    """A registry that takes no more requests for a while (status 429, or 503 with a time)."""

    retry_after: float | None = None
    """The seconds until it takes requests again, if it says so."""


@attrs.define(eq=False, slots=False, str=False)
class UnreachableError(RegistryError):
    """A server that gives no whole answer: no connection, no TLS, a connection that breaks, a time that runs out."""

    speaks_tls: bool = True
    """False if the server answered, but not with TLS."""
    was_sent: bool = True
    """False if no byte of the request can have reached the server."""
