import copy
import errno
import pickle

import pytest

from oci_layers import errors
from oci_layers.errors import (
    AccessDeniedError,
    BaseMismatchError,
    BlobMissingError,
    CompressionError,
    DestinationError,
    DigestMismatchError,
    DocumentError,
    IntegrityError,
    IsDirectoryError,
    LayerError,
    LayerMissingError,
    LimitError,
    LinkError,
    MetadataError,
    MissingError,
    NameFormatError,
    NotDirectoryError,
    NotPermittedError,
    OCIError,
    OwnerMissingError,
    PathError,
    PathExistsError,
    PathMissingError,
    PlaceMissingError,
    PresenterError,
    Problem,
    RateLimitError,
    ReferenceMissingError,
    RegistryError,
    SizeMismatchError,
    StoreError,
    TarFormatError,
    UnreachableError,
    UnsafePathError,
    UnsupportedError,
    WhiteoutError,
    escape,
    format_error,
    locate,
)

LONG_M = "m" * 417 + "..." + "m" * 60


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"plain/name", "plain/name"),
        ("plain é 漢 🙂", "plain é 漢 🙂"),
        ("é".encode(), "é"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\xffb\xc3", "a\\xffb\\xc3"),
        ("\x1b[2J\x07\r\n\t\0\x7f", "\\x1b[2J\\x07\\x0d\\x0a\\x09\\x00\\x7f"),
        ("\u202e\u200b\u2028\x9b", "\\xe2\\x80\\xae\\xe2\\x80\\x8b\\xe2\\x80\\xa8\\xc2\\x9b"),
        ("back\\slash", "back\\x5cslash"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\xed\\xa0\\x80"),
        (b"", ""),
    ],
)
def test_a_name_becomes_one_line_that_a_terminal_cannot_act_on(text, shown):
    assert escape(text) == shown
    assert escape(text).isprintable()


SENTENCES = [
    (DocumentError("m/t", (Problem("/a/b", "is bad"), Problem("", "is worse"))), "m/t: /a/b: is bad; /: is worse"),
    (
        DocumentError("m/t", tuple(Problem(f"/{number}", "is bad") for number in range(7))),
        "m/t: /0: is bad; /1: is bad; /2: is bad; /3: is bad; /4: is bad; and 2 more",
    ),
    (DocumentError("m/t", (Problem("/a", "is bad"),) * 5, 1239), "m/t: " + "/a: is bad; " * 5 + "and 1,234 more"),
    (DocumentError("m" * 481, (Problem("/" * 481, "is bad"),)), LONG_M + ": " + LONG_M.replace("m", "/") + ": is bad"),
    (NameFormatError("digest", "x:y", "is none"), "digest 'x:y': is none"),
    (NameFormatError("digest", "m" * 481, "is none"), f"digest '{LONG_M}': is none"),
    (UnsupportedError("type", "m" * 481), f"unsupported type: {LONG_M}"),
    (DigestMismatchError("blob x", "sha256:aa", "sha256:bb"), "blob x: digest is sha256:bb, expected sha256:aa"),
    (DigestMismatchError("blob sha256:aa", "sha256:aa", "sha256:bb"), "blob sha256:aa: digest is sha256:bb"),
    (SizeMismatchError("blob x", 10, 9), "blob x: 9 bytes, expected 10"),
    (SizeMismatchError("blob x", 10, 11), "blob x: longer than the expected 10 bytes"),
    (CompressionError("layer 1", "cut short"), "layer 1: cut short"),
    (LayerError(b"a/\xff", "no good"), "a/\\xff: no good"),
    (LayerError(b"", "no good"), "/: no good"),
    (UnsafePathError(b"../x", "climbs"), "../x: climbs"),
    (WhiteoutError(b".wh.", "names nothing"), ".wh.: names nothing"),
    (LinkError(b"a", "no target"), "a: no target"),
    (TarFormatError(b"a", "cut", 512), "a: not a valid tar archive at byte 512: cut"),
    (TarFormatError(b"", "cut", 0), "not a valid tar archive at byte 0: cut"),
    (BlobMissingError("sha256:aa"), "blob sha256:aa is missing"),
    (BlobMissingError("sha256:aa", "look elsewhere"), "blob sha256:aa is missing (look elsewhere)"),
    (LayerMissingError(6, 5), "6 is not possible: the image has 5 layers"),
    (BaseMismatchError("i", ("a", "b"), ("a", "c", "d")), "i: layer 1 is c, that of the base is b"),
    (BaseMismatchError("i", ("a", "b", "c"), ("a",)), "i: layer 1 is missing, that of the base is b"),
    (ReferenceMissingError("x", ("a", "b")), "no image 'x'; there are: a, b"),
    (ReferenceMissingError("x", ()), "no image 'x'; there are: none"),
    (ReferenceMissingError("", ("a", "b"), "platform"), "there are several platforms, name one; there are: a, b"),
    (
        ReferenceMissingError("x", tuple(map(str, range(22)))),
        f"no image 'x'; there are: {', '.join(map(str, range(20)))} and 2 more",
    ),
    (PathMissingError(b"a\n"), "a\\x0a: no such file or directory"),
    (PathMissingError(b"a", "it is gone"), "a: it is gone"),
    (NotDirectoryError(b"a"), "a: not a directory"),
    (IsDirectoryError(b"a\xff"), "a\\xff: is a directory"),
    (PathExistsError(b"a"), "a: file exists"),
    (NotPermittedError(b"a"), "a: operation not permitted"),
    (PathError(b"a", "not a symbolic link"), "a: not a symbolic link"),
    (OwnerMissingError("user", 1000), "the image has no name for user 1000"),
    (PlaceMissingError("/a"), "/a: no such file or directory"),
    (UnsupportedError("transport", "ftp"), "unsupported transport: ftp"),
    (UnsupportedError("transport", "ftp", "use oci"), "unsupported transport: ftp (use oci)"),
    (
        PresenterError((("detached", "EPERM: no"), ("fuse", "m" * 481))),
        f"the layers cannot be shown as one directory: detached: EPERM: no; fuse: {LONG_M}",
    ),
    (PresenterError(()), "the layers cannot be shown as one directory: no presenter was tried"),
    (LimitError("entries", 10, 11), "limit entries is 10, the input has 11 or more"),
    (MetadataError({"xattr": 2, "owner": 1}), "not permitted to set all metadata: 1 owner, 2 xattr"),
    (StoreError("/a", "is none"), "/a: is none"),
    (DestinationError("/a", "is full"), "/a: is full"),
    (RegistryError("https://r/v2/", "404", 404), "https://r/v2/: 404"),
    (AccessDeniedError("https://r/v2/", "401", 401, ("UNAUTHORIZED",)), "https://r/v2/: 401"),
    (RateLimitError("https://r/v2/", "429", 429, retry_after=60), "https://r/v2/: 429"),
    (UnreachableError("https://r/v2/", "refused", speaks_tls=False), "https://r/v2/: refused"),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES, ids=lambda value: type(value).__name__)
def test_every_error_is_a_sentence(error, sentence):
    assert str(error) == sentence


def test_every_exported_error_has_its_sentence_here():
    exported = {getattr(errors, name) for name in errors.__all__}
    classes = {each for each in exported if isinstance(each, type) and issubclass(each, OCIError)}
    assert classes - {OCIError, IntegrityError, MissingError} == {type(error) for error, _ in SENTENCES}


HOSTILE = "\x1b[2J\n\u202e"


@pytest.mark.parametrize(
    "error",
    [
        DocumentError(HOSTILE, (Problem(HOSTILE, HOSTILE),)),
        NameFormatError(HOSTILE, HOSTILE, HOSTILE),
        DigestMismatchError(HOSTILE, HOSTILE, HOSTILE),
        SizeMismatchError(HOSTILE, 1, 2),
        CompressionError(HOSTILE, HOSTILE),
        LayerError(HOSTILE.encode(), HOSTILE),
        TarFormatError(HOSTILE.encode(), HOSTILE, 0),
        ReferenceMissingError(HOSTILE, (HOSTILE,), HOSTILE),
        PathError(HOSTILE.encode(), HOSTILE),
        PathMissingError(HOSTILE.encode(), HOSTILE),
        PlaceMissingError(HOSTILE, HOSTILE),
        UnsupportedError(HOSTILE, HOSTILE, HOSTILE),
        StoreError(HOSTILE, HOSTILE),
        BaseMismatchError(HOSTILE, ("a",), ()),
        MetadataError({HOSTILE: 1}),
        PresenterError(((HOSTILE, HOSTILE),)),
        OCIError(HOSTILE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_sentence_acts_on_a_terminal_whatever_is_in_it(error):
    assert str(error).isprintable()
    assert "\\x1b[2J\\x0a\\xe2\\x80\\xae" in str(error)


def test_errors_are_of_the_families_that_callers_catch():
    families = {
        ValueError: {BaseMismatchError, DocumentError, NameFormatError, CompressionError, LayerError},
        LookupError: {MissingError},
        IntegrityError: {DigestMismatchError, SizeMismatchError},
        LayerError: {TarFormatError, UnsafePathError, WhiteoutError, LinkError},
        MissingError: {
            *(BlobMissingError, ReferenceMissingError, PathError, PlaceMissingError, OwnerMissingError),
            LayerMissingError,
        },
        PathError: {PathMissingError, NotDirectoryError, IsDirectoryError, PathExistsError, NotPermittedError},
        OSError: {PathError},
        FileNotFoundError: {PathMissingError},
        FileExistsError: {PathExistsError},
        PermissionError: {NotPermittedError},
        NotADirectoryError: {NotDirectoryError},
        IsADirectoryError: {IsDirectoryError},
        KeyError: {OwnerMissingError},
        IndexError: {LayerMissingError},
        StoreError: {DestinationError},
    }
    for family, members in families.items():
        assert all(issubclass(member, family) for member in members)
    assert not issubclass(IntegrityError, ValueError)


def test_a_document_error_points_to_its_first_problem():
    error = DocumentError("m", (Problem("/a", "x"), Problem("/b", "y")))
    assert (error.pointer, error.total) == ("/a", 2)


def test_an_error_is_not_another_because_its_data_are_the_same():
    assert LimitError("entries", 1, 2) != LimitError("entries", 1, 2)
    assert len({LimitError("entries", 1, 2), LimitError("entries", 1, 2)}) == 2


def test_notes_and_causes_can_be_added():
    error = StoreError("a", "b")
    error.add_note("in the image")
    assert error.__notes__ == ["in the image"]


@pytest.mark.parametrize("error", [error for error, _ in SENTENCES], ids=lambda error: type(error).__name__)
def test_an_error_comes_through_to_another_process(error):
    """As pools of processes hand it over."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


def noted(error, *notes):
    for note in notes:
        error.add_note(note)
    return error


class MissingAndOfTheSystemError(MissingError, FileNotFoundError):
    """One of ours that is one of the system too."""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (StoreError("a", "is none"), "a: is none"),
        (noted(StoreError("a", "is none"), "inner", "outer\x1b"), "outer\\x1b: inner: a: is none"),
        (noted(OCIError("what the note says"), "what", "where"), "where: what the note says"),
        (
            noted(LimitError("entries", 10, 11), "layer 1"),
            "layer 1: limit entries is 10, the input has 11 or more (to raise it: --limit entries=NUMBER)",
        ),
        (MissingAndOfTheSystemError("gone"), "gone"),
        (PermissionError(errno.EACCES, "Permission denied", "a\x1b"), "a\\x1b: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", b"a\xff", None, "b"), "a\\xff: b: Read-only file system"),
        (OSError(errno.EINVAL, "bad", 7), "bad"),
        (
            noted(OSError(errno.EMFILE, "Too many open files", "a"), "destination"),
            "destination: a: Too many open files (to allow more: ulimit -n NUMBER)",
        ),
        (OSError("odd\n"), "odd\\x0a"),
        (OSError(), "OSError"),
        (KeyError("a"), "KeyError: 'a'"),
        (noted(RuntimeError("can't\nstart"), "layer 1"), "layer 1: RuntimeError: can't\\x0astart"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
    ids=repr,
)
def test_any_error_is_one_line(error, line):
    assert format_error(error) == line
    assert line.isprintable()


@pytest.mark.parametrize(
    ("error", "path", "line"),
    [
        (OSError(errno.EIO, "broken"), "d/file", "role: d/file: broken"),
        (OSError(errno.EIO, "broken", "file", None, "other"), "d/file", "role: d/file: broken"),
        (OSError(errno.EIO, "broken", "file"), None, "role: file: broken"),
        (MissingAndOfTheSystemError("gone"), "d/file", "gone"),
        (StoreError("a", "is none"), "d/file", "a: is none"),
    ],
    ids=repr,
)
def test_an_error_of_the_system_gets_its_path_and_role_and_others_keep_theirs(error, path, line):
    locate(error, path, "role")
    assert format_error(error) == line


@pytest.mark.parametrize(
    ("error", "number", "reason"),
    [
        (PathError(b"/n\xe9", "not a symbolic link"), errno.EINVAL, "not a symbolic link"),
        (PathError(b"/n\xe9", "a loop", errno.ELOOP), errno.ELOOP, "a loop"),
        (PathMissingError(b"/n\xe9"), errno.ENOENT, "no such file or directory"),
        (NotDirectoryError(b"/n\xe9"), errno.ENOTDIR, "not a directory"),
        (IsDirectoryError(b"/n\xe9"), errno.EISDIR, "is a directory"),
        (PathExistsError(b"/n\xe9"), errno.EEXIST, "file exists"),
        (NotPermittedError(b"/n\xe9"), errno.EPERM, "operation not permitted"),
    ],
)
def test_an_error_about_a_path_is_the_one_that_the_system_raises_for_it(error, number, reason):
    error.add_note("in layer 1")
    for each in (error, copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(each) is type(error)
        assert (each.path, each.reason, each.__notes__) == (b"/n\xe9", reason, ["in layer 1"])
        assert (each.errno, each.strerror, each.filename, each.filename2) == (number, reason, "/n\udce9", None)
        assert str(each) == f"/n\\xe9: {reason}"


def test_a_name_too_long_for_a_message_loses_its_middle():
    long = b"a" * 5_000 + b"/end"
    for error in (LayerError(long, "is wrong"), PathMissingError(long), OSError(errno.ENAMETOOLONG, "too long", long)):
        line = format_error(error)
        assert line.startswith("a" * 417 + "...")
        assert "/end: " in line
        assert len(line) < 540
