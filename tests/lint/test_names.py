import pytest

from oci_layers.lint.names import fold, is_plain, is_secret, name_faults, same_text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"con", ["windows-name"]),
        (b"Com1.txt", ["windows-name"]),
        (b"aux .c", ["windows-name"]),
        (b"lpt", []),
        (b"conin$", ["windows-name"]),
        (b"console", []),
        (b"x ", ["trailing-dot"]),
        (b" x", []),
        (b"x\x7f", ["control-character"]),
        (b"\x01\\:.", ["control-character", "backslash", "windows-character", "trailing-dot"]),
        (b"a|b", ["windows-character"]),
        (b"\xe4\xb8\xad", []),
        (b"\xe4\xb8", ["not-utf8"]),
        (b"\xe4\xb8\xad" * 86, ["long-name"]),
        (b"x" * 255, []),
    ],
)
def test_what_is_odd_about_a_name(name, expected):
    assert [what for what, _ in name_faults(name)] == expected


@pytest.mark.parametrize(
    "path",
    [
        *(b"root/.ssh/id_rsa", b"id_ed25519", b".npmrc", b"x/.git-credentials", b"etc/ssl/server.key"),
        *(b"home/u/.aws/credentials", b".kube/config", b"root/.docker/config.json"),
        *(b"privkey.pem", b"tls/server-key.pem", b"a.p12"),
    ],
)
def test_names_that_secrets_usually_have(path):
    assert is_secret(path)
    assert not is_plain(path.rpartition(b"/")[2])


@pytest.mark.parametrize(
    "path",
    [
        b"id_rsa.pub",
        b"credentials",
        b"kube/config",
        b"ssl/cacert.pem",
        b"key",
        b"a.keys",
        b"monkey.pem",
        b"x.aws/credentials",
    ],
)
def test_names_that_look_like_those_of_secrets_and_are_not(path):
    assert not is_secret(path)


@pytest.mark.parametrize("byte", range(256))
def test_nothing_is_odd_about_a_plain_name(byte):
    for name in (b"a%cb" % byte, b"ab%c" % byte, b"%cab" % byte):
        if is_plain(name):
            assert list(name_faults(name)) == []
            assert fold(name) == name
            assert not is_secret(name)
            assert not name.startswith(b".")
            assert b"/" not in name


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a", "A", False),
        ("é", "É", False),
        ("é", "e\u0301", True),
        ("É", "e\u0301", False),
        ("straße", "STRASSE", False),
    ],
)
def test_twins_have_one_folded_form(one, other, same):
    assert fold(one.encode()) == fold(other.encode())
    assert same_text(one.encode(), other.encode()) is same


def test_names_that_are_no_text_are_folded_as_far_as_they_are():
    assert fold(b"\xffA") == b"\xffa"
