"""What requests to registries share: connections, credentials, tokens, and what is known of each registry."""

import os
import threading
from collections.abc import Callable, Mapping

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.limits import Limits
from oci_layers.registry.authorizer import Authorizer
from oci_layers.registry.client import RegistryClient
from oci_layers.registry.credentials import Credential, CredentialSource
from oci_layers.registry.endpoint import Endpoint
from oci_layers.registry.exchange import Access, Exchange
from oci_layers.registry.retry import Clock, Retries
from oci_layers.registry.scope import Scope
from oci_layers.registry.transport import Request, Transport
from oci_layers.spec.reference import Reference

__all__ = ["RegistrySession"]


class RegistrySession(Closing):
    """Connections and credentials for any number of registries. Several threads may use it at once.

    Closed by `close`, or as a context manager. After an interrupt, all of its transfers are ended.
    """

    def __init__(
        self,
        *,
        credentials: Credential | CredentialSource | None = None,
        authfile: str | os.PathLike[str] | None = None,
        certificates: str | os.PathLike[str] | None = None,
        insecure: bool = False,
        plain_http: bool = False,
        cache: str | os.PathLike[str] | None = None,
        foreign_layers: bool = False,
        environ: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        retries: Retries | None = None,
        clock: Clock | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        """Choose credentials and connections; nothing is read or sent yet.

        Args:
            credentials: What is shown to every registry that asks; or a function that is called with a registry and a
                repository. By default what the user has logged in with, as skopeo and docker find it (containers-auth
                .json(5)).
            authfile: The only file in which credentials are looked up.
            certificates: A directory with certificates (`*.crt`, `*.cert`, `*.key`) for every registry; by default
                those of containers-certs.d(5).
            insecure: Take any certificate.
            plain_http: Use plain HTTP where a registry speaks no TLS; a registry on this machine may do so anyway.
            cache: The directory of a layout in which blobs are kept as they are read, and read again from there.
            foreign_layers: Fetch layers that a registry does not have from the URLs in their descriptors, without
                credentials; and send layers that are not distributed (layer.md, "Non-Distributable Layers") to
                registries, which otherwise get the other blobs of an image alone.
            environ: The environment: proxies and places of files; that of the process if None.
            transport: Sends the requests, instead of urllib3; closed with this object.
            retries: How often requests are repeated.
            clock: The time.
            on_warning: Called with each text that a registry wants a user to see.

        Raises:
            UnsupportedError: The extra `registry` is not installed, and there is no `transport`.
        """
        self.cache = cache
        """The layout in which `store.RegistryRepository` keeps what it reads; None for none."""
        self.foreign_layers = foreign_layers
        """Whether `store.RegistryRepository` takes layers from elsewhere."""
        environ = system.environment() if environ is None else environ
        if transport is None:
            from oci_layers.registry.tls import Certificates  # These two take 100 ms to import.
            from oci_layers.registry.urllib3_transport import Urllib3Transport

            transport = Urllib3Transport(
                tls=Certificates(certificates, insecure=insecure, environ=environ), environ=environ
            )
        clock = clock or Clock()
        if credentials is None:
            from oci_layers.registry.credential_files import DefaultCredentials

            source: CredentialSource = DefaultCredentials(environ, None if authfile is None else os.fspath(authfile))
        elif isinstance(credentials, Credential):
            always = credentials
            source = lambda _domain, _path: always  # noqa: E731
        else:
            source = credentials
        self._exchange = Exchange(
            transport, Authorizer(source, clock=clock.now), retries=retries, clock=clock, on_warning=on_warning
        )
        self._plain_http = plain_http
        self._endpoints: dict[str, Endpoint] = {}
        self._lock = threading.Lock()

    def client(self, domain: str, path: str, limits: Limits | None = None) -> RegistryClient:
        """Return what sends requests to a repository.

        Args:
            domain: The registry, as `Reference.domain`.
            path: The repository, as `Reference.path`.
            limits: The limits on documents and lists.
        """
        Reference(domain=domain, path=path)
        return RegistryClient(self._endpoint(domain), path, self._exchange, limits or Limits())

    def _endpoint(self, domain: str) -> Endpoint:
        with self._lock:
            if domain not in self._endpoints:
                self._endpoints[domain] = Endpoint(domain, plain_http=self._plain_http)
            return self._endpoints[domain]

    def check(self, domain: str) -> None:
        """Check that a registry answers, and takes the credentials if it wants any (distribution-spec, "end-1").

        Raises:
            AccessDeniedError: It does not take them.
            RegistryError: It cannot be asked, or is no registry.
        """
        access = Access(domain, frozenset[Scope]())
        self._endpoint(domain).call(lambda base: self._exchange.send(Request(method="GET", url=base), access)).close()

    def close(self) -> None:
        """Close all connections; idempotent."""
        self._exchange.close()
