"""An answer that is not what was asked for, to an error: by its status first, then by the codes in its body."""

import contextlib
import http
import json
import re

from oci_layers.errors import AccessDeniedError, RateLimitError, RegistryError, UnreachableError, shortened
from oci_layers.registry.retry import retry_after
from oci_layers.registry.transport import Response, read_body

__all__ = ["problem"]

_ERROR_BYTES = 64 << 10
_LINE = 300
_NOT_TLS = ("HTTP request to an HTTPS server", "HTTP request was sent to HTTPS port")
_DIGEST = re.compile(r"[a-z0-9]{3,16}:[0-9a-f]{32,128}")
_LIMITS = ("ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source")


def problem(response: Response, now: float) -> RegistryError:
    """Return the error for an answer, and close the answer.

    Args:
        response: The answer. Up to 64 KiB of its body are read (distribution-spec, "Error Codes").
        now: The time since the epoch.
    """
    body = b""
    if response.status != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # Its length may be that of the blob.
        with contextlib.suppress(UnreachableError):
            body = read_body(response, _ERROR_BYTES)
    response.close()
    codes, text = _said(body)
    status = response.status
    reason = ": ".join(filter(None, (_phrase(status), text)))
    place = str(response.url)
    if any(each in text for each in _NOT_TLS):
        reason += "; it speaks TLS, so it is not plain HTTP"
    if status in {401, 403}:
        return AccessDeniedError(place, reason, status, codes)
    asked = retry_after(response.headers.get("Retry-After"), now)
    if status == http.HTTPStatus.TOO_MANY_REQUESTS or (status == http.HTTPStatus.SERVICE_UNAVAILABLE and asked):
        limits = [f"{name} {response.headers[name]}" for name in _LIMITS if name in response.headers]
        if asked is not None:
            limits.insert(0, f"it takes requests again in {asked:.0f} seconds")
        reason = shortened(f"{reason} ({', '.join(limits)})" if limits else reason)
        return RateLimitError(place, reason, status, codes, retry_after=asked)
    return RegistryError(place, reason, status, codes)


def _phrase(status: int) -> str:
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def _said(body: bytes) -> tuple[tuple[str, ...], str]:
    """Return the codes of an error document, and one line of what it says."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # A page for people says nothing in its first line.
        return (), "" if text.startswith("<") else _one_line(text)
    if not isinstance(document, dict):
        return (), _one_line(text)
    listed = document.get("errors")
    listed = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    codes = tuple(code for each in listed if isinstance(code := each.get("code"), str))
    said = [_about(each) for each in listed]
    return codes, _one_line("; ".join(filter(None, said)) or str(document.get("message") or ""))


def _about(error: dict[str, object]) -> str:
    """Return what one error of a document says, with the digests that it is about."""
    text = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
    digests = [each for each in _DIGEST.findall(json.dumps(error.get("detail"))) if each not in text]
    return f"{text} ({', '.join(dict.fromkeys(digests))})" if text and digests else text


def _one_line(text: str) -> str:
    """Return the first line of a text, cut; an error makes its characters harmless where it is shown."""
    line = next(iter(text.splitlines()), "")
    return line if len(line) <= _LINE else f"{line[:_LINE]}..."
