"""The guard sees what should not come out, and keeps the shortest input of each kind."""

from oci_layers.errors import NameFormatError
from oci_layers.spec.digest import Digest
from tests.fuzz.__main__ import main
from tests.fuzz.guard import Findings, Guard, TooLargeError, TooSlowError, shortened, signature
from tests.fuzz.target import Target, refusals
from tests.support.process import in_child


def target(run):
    return Target("a", run, tuple)


def broken(data):
    with refusals():
        if b"x" in data:
            raise KeyError(data)
        raise NameFormatError("name", "a", "is refused")
    return False


def test_only_our_errors_may_come_out():
    guard = Guard(target(broken))

    assert guard.failure(b"a") is None
    assert isinstance(guard.failure(b"xa"), KeyError)


def test_a_message_must_be_one_line(monkeypatch):
    def run(data):
        with refusals():
            raise NameFormatError("name", "a", "is refused")

    monkeypatch.setattr("tests.fuzz.target.format_error", lambda error: "two\nlines")

    assert isinstance(Guard(target(run)).failure(b""), AssertionError)


def test_what_takes_too_long_is_a_failure():
    guard = Guard(target(lambda data: sum(range(len(data)))), cpu_seconds=0.0)

    assert isinstance(guard.failure(bytes(1000)), TooSlowError)


def test_what_takes_too_much_memory_is_a_failure():
    def failures():
        guard = Guard(target(lambda data: bool(bytearray(64 << 20 if data else 1))), memory_bytes=4 << 20)
        return [type(guard.failure(data)) for data in (b"", b"a")]

    # In a child, as what this process took at most may be more than it has now.
    assert in_child(failures) == [type(None), TooLargeError]


def test_a_failure_is_named_by_the_place_where_it_is_raised():
    error = Guard(target(lambda data: Digest.parse(5))).failure(b"")

    assert signature(error).startswith("TypeError at digest.py:")


def test_the_shortest_input_of_each_failure_is_kept(tmp_path):
    findings = Findings(tmp_path / "findings")
    for name, data in (("a", b"long"), ("a", b"to"), ("a", b"longer"), ("b", b"other")):
        findings.add(name, data, f"report of {data}")

    assert sorted((name, data) for name, data, _ in findings) == [("a", b"to"), ("b", b"other")]


def test_an_input_is_made_shorter_as_long_as_it_fails_in_the_same_way():
    guard = Guard(target(broken))
    name = signature(guard.failure(b"x"))

    assert shortened(guard, b"a" * 300 + b"x" + b"b" * 300, name) == b"x"
    assert shortened(guard, b"accepted", name) == b"accepted"


def test_the_command_says_how_to_get_atheris(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert main(["digest"]) == 2
    assert "pip install --group fuzz" in capsys.readouterr().err
