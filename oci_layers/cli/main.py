"""The command: arguments in, an exit code out, one line for each error and never a traceback.

Exit codes: 0 ok; 1 failed, or differs; 2 usage; 3 not found; 4 not permitted; 5 not what its digest says; 130 on
Ctrl-C.
"""

import argparse
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence

from oci_layers._version import __version__
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

_VERBS = {
    "unpack": "unpack",
    "ls": "look",
    "cat": "look",
    "tree": "look",
    "inspect": "inspect",
    "validate": "validate",
    "lint": "lint",
}
"""The verbs, in the order of the help, and the modules that they are in."""

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


class _Completion(argparse.Action):
    """Print a script for a shell, made by shtab."""

    def __call__(
        self,
        command: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002  # a method of argparse
        values: object,
        option_string: str | None = None,
    ) -> None:
        try:
            import shtab
        except ImportError:
            command.error(f"{option_string} needs shtab: pip install oci-layers[cli]")
        print(shtab.complete(command, str(values)))
        command.exit()


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line; of one verb alone, where it is known, which costs less to make."""
    command = argparse.ArgumentParser(
        prog="oci-layers", description="Open OCI images: look inside, verify, and unpack them exactly as the spec says."
    )
    command.add_argument("--version", action="version", version=f"oci-layers {__version__}")
    command.add_argument(
        "--print-completion", choices=("bash", "zsh", "tcsh"), action=_Completion, help="print a script for a shell"
    )
    verbs = command.add_subparsers(title="verbs", required=True, metavar="VERB", parser_class=_Verb)
    for module in [_VERBS[verb]] if verb in _VERBS else dict.fromkeys(_VERBS.values()):
        importlib.import_module(f"oci_layers.cli.{module}").add(verbs)
    return command


def run() -> None:
    """Run the command line of this process, and end it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or locale that cannot show a name gets it escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        options = parser(arguments[0] if arguments else None).parse_args(arguments)
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
