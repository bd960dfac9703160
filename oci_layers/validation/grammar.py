"""The forms of text that several rules and the schemas check: dates, URIs, base64, licenses.

Each function checks a whole text against one form, in time that grows with its length and with no more than a few
copies of it. The standard library is of little help: its parsers of dates and base64 accept more than their standards,
and its parser of URIs accepts anything. The grammars of digests and media types are in `spec.digest` and
`spec.mediatype`, and only called here.
"""

import base64
import binascii
import re

from oci_layers.errors import NameFormatError
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import check_media_type

__all__ = ["decoded_base64", "is_date_time", "is_digest", "is_licence", "is_media_type", "is_uri"]

_DATE_TIME = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"[Tt](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<offset_hour>[0-9]{2}):(?P<offset_minute>[0-9]{2}))"
)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY_MINUTES = 24 * 60

_NAME_CHARS = r"A-Za-z0-9._~!$&'()*+,;=\-"
# A repeated group costs the matcher memory for each repetition, unless it is possessive; here none is repeated.
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*+:(?://(?P<authority>[^/?#]*+))?+"
    rf"[{_NAME_CHARS}:@/%]*+(?:\?[{_NAME_CHARS}:@/?%]*+)?+(?:\#[{_NAME_CHARS}:@/?%]*+)?+"
)
_AUTHORITY = re.compile(rf"(?:[{_NAME_CHARS}:%]*@)?(?:\[(?P<address>[^\]]*)\]|[{_NAME_CHARS}%]*)(?::[0-9]*)?")
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_ADDRESS_TO_COME = re.compile(rf"[vV][0-9A-Fa-f]+\.[{_NAME_CHARS}:]+")

_LICENCE_WORD = re.compile(r"[A-Za-z0-9.-]+(?::[A-Za-z0-9.-]+)?\+?")
_LICENCE_TOKEN = re.compile(r"[()]|[^()\s]+")
_LICENCE_OPERATORS = frozenset({"AND", "OR", "WITH"})


def is_date_time(text: str) -> bool:
    """Return whether `text` is a date and time after RFC 3339 section 5.6, in any of its forms.

    The second 60 is valid only where a leap second can be: at the end of a day in UTC.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return False
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    offset_hour, offset_minute = int(match["offset_hour"] or 0), int(match["offset_minute"] or 0)
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1]:
        return False
    if (month, day) == (2, 29) and (year % 4 or (year % 100 == 0 and year % 400)):
        return False
    if hour > 23 or minute > 59 or second > 60 or offset_hour > 23 or offset_minute > 59:
        return False
    ahead = (offset_hour * 60 + offset_minute) * (-1 if match["sign"] == "-" else 1)
    return second < 60 or (hour * 60 + minute - ahead) % _DAY_MINUTES == _DAY_MINUTES - 1


def is_uri(text: str) -> bool:
    """Return whether `text` is a URI after RFC 3986 section 3: with a scheme, in ASCII, everything else escaped."""
    match = _URI.fullmatch(text)
    if match is None or _NO_ESCAPE.search(text):
        return False
    authority = _AUTHORITY.fullmatch(match["authority"] or "")
    return authority is not None and (authority["address"] is None or _is_address(authority["address"]))


def _is_address(text: str) -> bool:
    """Return whether `text` is valid between brackets: an IPv6 address, or one of a future version."""
    from ipaddress import AddressValueError, IPv6Address

    if _ADDRESS_TO_COME.fullmatch(text):
        return True
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text


def decoded_base64(text: str) -> bytes | None:
    """Return the bytes that `text` encodes in base64 after RFC 4648 section 4, or None if it is not valid.

    Padding is required, its unused bits are zero, and no other character is allowed: so each content has one text.
    """
    try:
        data = binascii.a2b_base64(text)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def is_licence(text: str) -> bool:
    """Return whether `text` has the form of an SPDX license expression. Names of licenses are not looked up."""
    depth = 0
    operand_next = True
    for match in _LICENCE_TOKEN.finditer(text):
        word = match[0]
        if word == "(":
            good, depth = operand_next, depth + 1
        elif word == ")":
            good, depth = not operand_next and depth > 0, depth - 1
        elif word in _LICENCE_OPERATORS:
            good, operand_next = not operand_next, True
        else:
            good, operand_next = operand_next and _LICENCE_WORD.fullmatch(word) is not None, False
        if not good:
            return False
    return not operand_next and depth == 0


def is_digest(text: str) -> bool:
    """Return whether `text` is a digest with the length that its algorithm requires (descriptor.md, "Digests")."""
    try:
        Digest.parse(text)
    except NameFormatError:
        return False
    return True


def is_media_type(text: str) -> bool:
    """Return whether `text` follows the grammar of media types (descriptor.md, after RFC 6838)."""
    try:
        check_media_type(text)
    except NameFormatError:
        return False
    return True
