"""Text that is safe to show: one line, with no character that a terminal acts on, and not too long."""

__all__ = ["escape", "one_line", "shortened"]

_SHOWN = 480
"""Characters of a name or other text that a message shows; `shortened` leaves out the middle of a longer one."""


def escape(text: bytes | str) -> str:
    r"""Return `text` as one line that a terminal cannot act on.

    Bytes that are not UTF-8, control and formatting characters and the backslash become `\xNN`, one for each byte.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(char if char.isprintable() and char != "\\" else _escaped(char) for char in text)


def shortened(text: bytes | str) -> str:
    """Return `text` as `escape` does, without its middle if it is too long for a message."""
    if len(text) <= _SHOWN:
        return escape(text)
    return f"{escape(text[: _SHOWN - 63])}...{escape(text[-60:])}"


def one_line(text: str) -> str:
    """Return a message as one line; text that `escape` returned is unchanged."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    escaped = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", escaped))
