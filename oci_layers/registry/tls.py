"""Which certificates a server may show, and which one is shown to it: containers-certs.d(5), REG-18 and REG-19.

Beside the authorities that OpenSSL trusts, a directory with the name of a registry has `*.crt`, authorities for that
registry, and `NAME.cert` with `NAME.key`, what a client shows. Of several such directories the first one counts.
"""

import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping

from oci_layers.errors import RegistryError
from oci_layers.registry.credentials import HUB, HUB_HOST
from oci_layers.registry.url import Origin
from oci_layers.registry.user_file import names_in

__all__ = ["Certificates"]

_PLACES = ("/etc/containers/certs.d", "/etc/docker/certs.d")


class Certificates:
    """The TLS context of each server. Several threads may call it at once."""

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        insecure: bool | Callable[[Origin], bool] = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Choose the certificates; nothing is read yet.

        Args:
            directory: The certificates for all servers; by default those of certs.d for each.
            insecure: Take any certificate of any server, or of those for which a function returns True.
            environ: The environment, which names the user's home.
        """
        self._directory = None if directory is None else os.fspath(directory)
        self._insecure = insecure
        home = (environ or {}).get("HOME")
        self._places = (*((f"{home}/.config/containers/certs.d",) if home else ()), *_PLACES)
        self._contexts: dict[tuple[str | None, bool], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def __call__(self, origin: Origin) -> ssl.SSLContext:
        """Return the context for connections to a server.

        Raises:
            RegistryError: A file holds no certificate or key, one of a pair is missing, or the directory is.
        """
        with self._lock:
            directory, names = next(self._found(origin), (None, []))
            insecure = self._insecure(origin) if callable(self._insecure) else self._insecure
            key = directory, insecure
            if key not in self._contexts:
                self._contexts[key] = self._load(directory, names, insecure=insecure)
            return self._contexts[key]

    def _found(self, origin: Origin) -> Iterator[tuple[str, list[str]]]:
        """Yield the directories for a server, with the names of their files."""
        if self._directory is not None:
            try:
                yield self._directory, names_in(self._directory)
            except OSError as error:
                raise RegistryError(self._directory, error.strerror or str(error)) from None
            return
        names = [f"{origin.host}:{origin.port}"]
        if str(origin) == f"https://{origin.host}":
            names.append(HUB if origin.host == HUB_HOST else origin.host)
        for place in self._places:
            for name in names:
                try:
                    yield f"{place}/{name}", names_in(f"{place}/{name}")
                except (FileNotFoundError, NotADirectoryError, PermissionError):
                    continue

    def _load(self, directory: str | None, names: list[str], *, insecure: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for name in names:
            stem, _, kind = name.rpartition(".")
            file, key = f"{directory}/{name}", f"{directory}/{stem}.key"
            if kind == "key" and f"{stem}.cert" not in names:
                raise RegistryError(file, f"{stem}.cert is missing")
            if kind == "cert" and f"{stem}.key" not in names:
                raise RegistryError(file, f"{stem}.key is missing (the certificate of a CA is named *.crt)")
            try:
                if kind == "crt":
                    context.load_verify_locations(file)
                elif kind == "cert":
                    context.load_cert_chain(file, key, password=str)  # An empty password, and no question for one.
            except ssl.SSLError:
                other = f", or not that of {stem}.key, or the key needs a password" if kind == "cert" else ""
                raise RegistryError(file, f"it holds no certificate{other}") from None
            except OSError as error:
                raise RegistryError(file, error.strerror or str(error)) from None
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
