"""Layers that a registry need not have: their descriptors say where else they are (descriptor.md, `urls`).

Such a layer is fetched from there only if the caller asks for it, once the registry was asked in vain. No credentials
go there (REG-61); what comes from there is verified like any other blob.
"""

from collections.abc import Sequence

from oci_layers.errors import NameFormatError, RegistryError
from oci_layers.registry.blob_stream import BlobStream
from oci_layers.registry.client import RegistryClient
from oci_layers.registry.exchange import require_reachable
from oci_layers.registry.url import Url
from oci_layers.spec.digest import Digest

__all__ = ["open_foreign"]


def open_foreign(client: RegistryClient, digest: Digest, urls: Sequence[str]) -> BlobStream:
    """Open a layer at the first of its URLs that has it, not verified.

    A URL is used if it is one of https, or of http on this machine or where the caller allows plain HTTP. An address
    that is not public is used only if that of the registry is not public either.

    Raises:
        NameFormatError, RegistryError: What is wrong with the last of the URLs.
    """
    moment = client.exchange.moment()
    failure: NameFormatError | RegistryError | None = None
    for text in urls:
        try:
            url = Url.parse(text)
            _require_allowed(client, url)
            return BlobStream(client, digest, url=url)
        except (NameFormatError, RegistryError) as error:
            failure = error
            if moment.is_set():
                break
    assert failure is not None
    failure.add_note(f"foreign layer {digest}")
    raise failure


def _require_allowed(client: RegistryClient, url: Url) -> None:
    if not (url.origin.is_secure or url.origin.is_loopback or client.endpoint.plain_http):
        raise RegistryError(str(url), "a layer is not fetched over a connection that is not encrypted")
    require_reachable(url, client.endpoint.origin)
