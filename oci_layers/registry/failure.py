"""What a failed connection was: exceptions of sockets, TLS and HTTP to one reason in plain words."""

import http.client
import socket
import ssl

from oci_layers._text import shortened

__all__ = ["reason_of", "speaks_no_tls", "was_closed"]

_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
"""What OpenSSL says if the first bytes of a server are not those of TLS."""
_UNKNOWN_ISSUER = {18, 19, 20, 21}
"""Codes of OpenSSL's x509_verify: no path to a root that is trusted."""
_FIRST_STRICT = 79
"""The first of the codes that OpenSSL added for its strict checks."""


def speaks_no_tls(error: Exception | str) -> bool:
    """Return whether the server answered, but not with TLS."""
    return isinstance(error, ssl.SSLError) and error.reason in _NO_TLS


def was_closed(error: Exception) -> bool:
    """Return whether the other side has closed the connection."""
    if isinstance(error, ssl.SSLError):
        return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or "EOF" in (error.reason or "")
    return isinstance(error, ConnectionError)


def reason_of(error: Exception, seconds: float) -> str:
    """Return what an exception means; `seconds` is the time that has run out if it is a `TimeoutError`."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "the name cannot be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, ssl.SSLError) and not was_closed(error):
        return _tls(error)
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if was_closed(error):
        return "the connection broke before there was an answer"
    if isinstance(error, OSError):
        return error.strerror or shortened(str(error))
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke"
    if isinstance(error, http.client.BadStatusLine | http.client.UnknownProtocol):
        return "the answer is not HTTP/1"
    return f"the answer is not HTTP: {shortened(str(error))}"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    reason = f"certificate: {error.verify_message}"
    if error.verify_code in _UNKNOWN_ISSUER:
        return f"{reason} (the CA of a private registry goes to certs.d/HOST:PORT/ca.crt)"
    if error.verify_code >= _FIRST_STRICT:
        return f"{reason} (a strict check, VERIFY_X509_STRICT, which is on from Python 3.13)"
    return reason


def _tls(error: ssl.SSLError) -> str:
    if speaks_no_tls(error):
        return "the server speaks no TLS"
    words = (error.reason or "error").lower().replace("_", " ")
    if "certificate required" in words:
        return "the server wants a client certificate"
    return f"TLS: {words}"
