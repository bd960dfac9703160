"""The command: arguments in, an exit code out, one line for each error and never a traceback.

Exit codes: 0 ok; 1 failed, or differs; 2 usage; 3 not found; 4 not permitted; 5 not what its digest says; 130 on
Ctrl-C.
"""

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence

from oci_layers._version import __version__
from oci_layers.cli import inspect, lint, look, unpack, validate
from oci_layers.errors import (
    IntegrityError,
    LimitError,
    MetadataError,
    MissingError,
    NameFormatError,
    OCIError,
    printable,
)

__all__ = ["main", "parser", "run"]

_NOT_PERMITTED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class _Verb(argparse.ArgumentParser):
    """The parser of one verb, which takes options between its arguments too: `ls IMAGE -R PATH`."""

    _mixing = False

    def parse_known_args(  # type: ignore[override]  # one signature for two overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    command = argparse.ArgumentParser(
        prog="oci-layers", description="Open OCI images: look inside, verify, and unpack them exactly as the spec says."
    )
    command.add_argument("--version", action="version", version=f"oci-layers {__version__}")
    verbs = command.add_subparsers(title="verbs", required=True, metavar="VERB", parser_class=_Verb)
    for module in (unpack, look, inspect, validate, lint):
        module.add(verbs)
    return command


def run() -> None:
    """Run the command line of this process, and end it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or locale that cannot show a name gets it escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    command = parser()
    try:
        import shtab  # for completion, where it is installed
    except ImportError:
        pass
    else:
        shtab.add_argument_to(command, ["--print-completion"])
    try:
        options = command.parse_args(arguments)
        code: int = options.run(options)
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Nobody listens any more: that is no error, and the interpreter shall not flush into it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OCIError, OSError) as error:
        print(f"oci-layers: error: {_line(error)}", file=sys.stderr)
        return _code(error)
    return code


def _line(error: OCIError | OSError) -> str:
    """Return an error as one line: where, from the outside in, and what."""
    if isinstance(error, OSError):
        names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        text = ": ".join([*map(printable, names), error.strerror or str(error)])
    else:
        text = str(error)
        if isinstance(error, LimitError):
            text += f" (to raise it: --limit {error.limit}=NUMBER)"
    notes = [printable(note) for note in reversed(getattr(error, "__notes__", ())) if note not in text]
    return ": ".join([*notes, text])


def _code(error: OCIError | OSError) -> int:
    cause = error if isinstance(error, OSError) else error.__cause__
    match error:
        case IntegrityError():
            return 5
        case MissingError():
            return 3
        case NameFormatError():
            return 2
        case MetadataError():
            return 4
        case _ if isinstance(cause, OSError) and cause.errno in _NOT_PERMITTED:
            return 4
        case _:
            return 1
