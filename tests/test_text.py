"""Text that is safe to show; `tests/test_errors.py` has the characters that `escape` replaces."""

from oci_layers._text import escape, one_line, shortened


def test_a_long_text_loses_its_middle():
    assert shortened("a" * 480) == "a" * 480
    assert shortened("a" * 400 + "b" * 100) == "a" * 400 + "b" * 17 + "..." + "b" * 60


def test_a_message_becomes_one_line_and_keeps_what_was_escaped():
    assert one_line(f"{escape(b'a' + bytes([10]))} is{chr(10)}bad") == "a\\x0a is\\x0abad"
