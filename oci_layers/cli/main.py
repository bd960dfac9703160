"""The command: arguments in, an exit code out, one line for each error and never a traceback.

Exit codes: 0 ok; 1 failed, or differs; 2 usage; 3 not found; 4 not permitted; 5 not what its digest says; 130 on
Ctrl-C, 143 on SIGTERM, 129 on SIGHUP. A closed pipe on stdout is no error; a closed stdout is one before any work.
"""

import argparse
import errno
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from oci_layers._version import __version__
from oci_layers.cli.process import Stopped, catch_signals, check_stdout, ignore_signals, prepare_streams
from oci_layers.errors import (
    IntegrityError,
    MetadataError,
    MissingError,
    NameFormatError,
    OCIError,
    format_error,
)

__all__ = ["main", "parser", "run"]

_VERBS = ("unpack", "ls", "cat", "tree", "inspect", "validate", "lint")
"""The verbs, in the order of the help; each is a module of `commands`."""

_NEW_OBJECTS = 100_000
"""How many new objects the garbage collector waits for: a tree has many, and next to no cycles."""

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
    for name in (verb,) if verb in _VERBS else _VERBS:
        importlib.import_module(f"oci_layers.cli.commands.{name}").add(verbs)
    return command


def run() -> None:
    """Run the command line of this process, and end it."""
    gc.set_threshold(_NEW_OBJECTS)
    prepare_streams()
    catch_signals()

    def work() -> int:
        check_stdout()
        return _run(sys.argv[1:])

    code = _end(work)
    ignore_signals()
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    return _end(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    options = parser(arguments[0] if arguments else None).parse_args(arguments)
    code: int = options.run(options)
    sys.stdout.flush()
    return code


def _end(work: Callable[[], int]) -> int:
    """Do the work and return the exit code; an error is one line on stderr."""
    try:
        return work()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt as stop:
        # What has been undone is not mentioned; what was left behind is.
        for note in getattr(stop, "__notes__", ()):
            print(f"oci-layers: interrupted: {note}", file=sys.stderr)
        return 128 + stop.number if isinstance(stop, Stopped) else 130
    except BrokenPipeError:
        _discard_stdout()
        return 0
    except (OCIError, OSError) as error:
        print(f"oci-layers: error: {format_error(error)}", file=sys.stderr)
        _discard_stdout()
        return _code(error)


def _discard_stdout() -> None:
    """Drop what cannot be written, or the interpreter would try again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _code(error: OCIError | OSError) -> int:
    # An error of ours that is one of the system too, such as a path that is missing, is judged as ours.
    cause = error.__cause__ if isinstance(error, OCIError) else error
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
