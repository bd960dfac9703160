"""`oci-layers conformance`: judge a program that unpacks images, or that makes layers, by the rules of layers."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oci_layers.cli.options import progress_argument
from oci_layers.cli.output import json_text
from oci_layers.cli.progress import progress
from oci_layers.errors import UnsupportedError

if TYPE_CHECKING:
    from oci_layers.testing.judge.profiles import Profile
    from oci_layers.testing.judge.verdict import Judgement

__all__ = ["add"]

_EXAMPLES = 200
_ENDLESS = 1_000_000
_STYLES = {"bad": "red", "good": "green", "note": "yellow", "strong": "bold"}


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "conformance",
        help="judge a program that unpacks images",
        description="Ask a program to unpack images, and compare what it makes with what the rules of layers say: the "
        "cases that come with this package, then generated stacks of layers, of which those that break a law are made "
        "as small as they get. Some images are hostile. As root on Linux, a program changes a copy of the system; "
        "otherwise it may write wherever you may: run it where that does no harm. Exit code 1 if anything fails. "
        "Needs oci-layers[testing].",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--unpacker",
        metavar="CMD",
        help="a command with {layout} (an OCI layout), {ref} (the name of its image) and {dest} (absent, to be made), "
        "such as 'umoci unpack --image {layout}:{ref} {dest}'; or with {layer} (a plain tar) and {dest} (which is "
        "there), and it is run for each layer; {scratch} is a directory for other files",
    )
    what.add_argument("--profile", metavar="NAME", help="a program that is known; list shows them")
    what.add_argument(
        "--differ",
        metavar="CMD",
        help="a command that makes a layer: with {old} and {new} (directories) and {layer} (a tar to be made, which "
        "may be compressed); applied to OLD, it must make NEW",
    )
    what.add_argument(
        "--write-cases", metavar="DIR", help="write the cases as files that need no Python, and judge nothing"
    )
    parser.add_argument(
        "--rootfs", metavar="PATH", default=".", help="where in {dest} the root of the image is (default: %(default)s)"
    )
    parser.add_argument(
        "--case",
        action="append",
        metavar="ID",
        help="run only this case; with * several, such as 'whiteouts/*'; none with ''",
    )
    parser.add_argument(
        "--examples", type=_count, metavar="N", help=f"how many stacks are generated (default: {_EXAMPLES}); 0 for none"
    )
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="the most time for generated stacks")
    parser.add_argument("--seed", type=_count, default=0, metavar="N", help="the same seed generates the same stacks")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="WHAT",
        help="attributes that are not compared, separated by commas: mode, owner, mtime, directory-mtime, nanoseconds, "
        "xattrs, content, links",
    )
    parser.add_argument(
        "--implied",
        action="store_true",
        help="compare the attributes of directories that no entry describes, and times that the spec leaves open, too",
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail, too, where the spec leaves open what comes out and it differs"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=60.0,
        metavar="N",
        help="seconds after which the program is stopped, and has failed (default: %(default)g)",
    )
    parser.add_argument(
        "--shrink-seconds",
        type=_seconds,
        default=60.0,
        metavar="N",
        help="the most time to find the smallest layers that break one law (default: %(default)g)",
    )
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="how many programs run at once (default: one per CPU)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep a layout for each failure; absent or empty")
    parser.add_argument("--format", choices=("text", "json", "junit", "html"), default="text")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the report goes (default: stdout)")
    parser.add_argument("--all", action="store_true", help="show all that differs in full, failure or not")
    progress_argument(parser)
    parser.set_defaults(run=_conformance, refuse=parser.error)


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number")


def _jobs(text: str) -> int:
    number = _count(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("expected 1 to 1000")
    return number


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < 1e9:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")


def _conformance(options: argparse.Namespace) -> int:
    with _hypothesis_at_home():
        try:
            import hypothesis  # noqa: F401  # only to see whether it is there
            import pytest  # noqa: F401  # as above
        except ImportError as error:
            hint = "pip install 'oci-layers[testing]'"
            raise UnsupportedError("command without a module", str(error.name), hint) from None
        if options.write_cases is not None:
            return _write_cases(options.write_cases)
        if options.profile == "list":
            return _list_profiles(options)
        if options.keep is not None and options.keep.exists() and any(options.keep.iterdir()):
            options.refuse(f"argument --keep: not an empty directory: {options.keep}")
        judgement = _judged(options)
        _report(judgement, options)
        return 0 if judgement.ok else 1


@contextlib.contextmanager
def _hypothesis_at_home() -> Iterator[None]:
    """Let Hypothesis write its files elsewhere than in the directory of the user."""
    with tempfile.TemporaryDirectory(prefix="oci-layers-hypothesis-") as directory:
        before = os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY")
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", directory)
        try:
            yield
        finally:
            if before is None:
                del os.environ["HYPOTHESIS_STORAGE_DIRECTORY"]


def _write_cases(directory: str) -> int:
    from oci_layers.testing.cases import write_cases

    print(f"{write_cases(directory)} cases in {directory}")
    return 0


def _list_profiles(options: argparse.Namespace) -> int:
    from oci_layers.testing.judge.profiles import PROFILES

    rows = [
        {
            "name": each.name,
            "says": each.says,
            "command": each.program.command,
            "ignore": list(each.ignore),
            "missing": each.missing(),
            "version": "" if each.missing() else each.version_line(),
        }
        for each in PROFILES.values()
    ]
    if options.format == "json":
        print(json_text(rows, indent=2))
        return 0
    for row in rows:
        print(f"{row['name']}: {row['says']}")
        print(f"    {' '.join(str(row['command']).split())}")
        missing = row["missing"]
        print(f"    needs {' and '.join(map(str, missing))}" if missing else f"    here: {row['version']}")
    return 0


def _judged(options: argparse.Namespace) -> "Judgement":
    from oci_layers.testing.judge.differ import judge_differ
    from oci_layers.testing.judge.pool import PHASES
    from oci_layers.testing.judge.profiles import profile
    from oci_layers.testing.judge.run import judge

    known: Profile | None = None if options.profile is None else profile(options.profile)
    examples = options.examples
    if examples is None:
        examples = _EXAMPLES if options.seconds is None else _ENDLESS
    ignore = [each for text in options.ignore for each in text.split(",") if each]
    with progress(options.progress, unit="image", phases=PHASES) as show:
        if options.differ is not None:
            return judge_differ(
                options.differ,
                examples=examples,
                seconds=options.seconds,
                seed=options.seed,
                ignore=ignore,
                timeout=options.timeout,
                shrink_seconds=options.shrink_seconds,
                jobs=options.jobs,
                keep=options.keep,
                progress=show,
            )
        return judge(
            options.unpacker if known is None else known.program,
            rootfs=options.rootfs,
            select=("*",) if options.case is None else [each for each in options.case if each],
            examples=examples,
            seconds=options.seconds,
            seed=options.seed,
            ignore=[*ignore, *(() if known is None or options.ignore else known.ignore)],
            implied=options.implied,
            strict=options.strict,
            timeout=options.timeout,
            shrink_seconds=options.shrink_seconds,
            jobs=options.jobs,
            keep=options.keep,
            version="" if known is None else known.version_line(),
            progress=show,
        )


def _report(judgement: "Judgement", options: argparse.Namespace) -> None:
    text = _text(judgement, options)
    if options.output is None:
        sys.stdout.write(text)
        return
    options.output.write_text(text, encoding="utf-8")
    if options.format != "text":
        from oci_layers.testing.judge.report_text import summary_lines

        sys.stdout.writelines(f"{line}\n" for line in summary_lines(judgement))


def _text(judgement: "Judgement", options: argparse.Namespace) -> str:
    match options.format:
        case "json":
            from oci_layers.testing.judge.report_json import judgement_json

            return json_text(judgement_json(judgement), indent=2) + "\n"
        case "junit":
            from oci_layers.testing.judge.report_junit import junit_text

            return junit_text(judgement)
        case "html":
            from oci_layers.testing.judge.report_html import html_text

            return html_text(judgement)
        case _:
            from oci_layers.testing.judge.report_text import text_lines

            style = _coloured if _has_colour(options) else _plain
            return "".join(f"{line}\n" for line in text_lines(judgement, everything=options.all, style=style))


def _plain(text: str, _: str) -> str:
    return text


def _has_colour(options: argparse.Namespace) -> bool:
    import importlib.util

    is_terminal = options.output is None and sys.stdout.isatty()
    return is_terminal and "NO_COLOR" not in os.environ and importlib.util.find_spec("rich") is not None


def _coloured(text: str, style: str) -> str:
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(_STYLES[style]).render(text, color_system=ColorSystem.STANDARD)
