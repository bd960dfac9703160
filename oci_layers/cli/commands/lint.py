"""`oci-layers lint`: list errors, warnings and notes about the layers of an image, or about a layer file."""

import argparse
import contextlib
import io
import itertools
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import attrs

from oci_layers.blob.compression import decompressed
from oci_layers.blob.stream import ByteStream
from oci_layers.cli.findings import SEVERITIES, SeverityCounts, finding_arguments
from oci_layers.cli.options import choice_arguments, limits_of, progress_argument, require_layer
from oci_layers.cli.output import counted, json_text, one_line, path_json
from oci_layers.cli.progress import progress
from oci_layers.cli.registries import session_of
from oci_layers.cli.sarif import Result, file_uri, sarif_log
from oci_layers.errors import OCIError, TarFormatError, escape
from oci_layers.image.image import Image
from oci_layers.image.lint import lint_layers
from oci_layers.layer.rules import LAYER_RULES
from oci_layers.limits import Limits
from oci_layers.lint.linter import lint
from oci_layers.report import LayerFinding
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar
from oci_layers.validation.rule import severity_in

__all__ = ["add"]

_SHOWN = 10
_MARKS = frozenset({b"oci-layout", b"manifest.json"})
# For these rules the path is the unmodified name of the entry, which is not a clean path.
_AS_STORED = frozenset({"climbing-name", "nul-name", "global-header"})


@attrs.frozen(kw_only=True)
class _Layer:
    """The names of a layer in the output."""

    title: str
    uri: str
    digest: str | None = None


def _path(finding: LayerFinding) -> bytes:
    path = finding.location.path
    return path if finding.rule in _AS_STORED else b"/" + path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "lint",
        help="check layers for errors and doubtful entries",
        description="Check the layers of an image, each on top of those below it, or a single layer file. Exit code 1 "
        "on errors.",
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="an IMAGE: oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:NAME:TAG], or the path of one of "
        "these; or a layer: a tar file, perhaps compressed, without oci-layout and manifest.json in it; - is a layer "
        "on stdin",
    )
    parser.add_argument(
        "--layer",
        action="append",
        type=int,
        metavar="N",
        help="show only findings in this layer, 0 is the lowest; may be repeated",
    )
    parser.add_argument(
        "--windows", action="store_true", help="a layer file is one for Windows; what an image is for, its config says"
    )
    choice_arguments(parser, "which of several images (default: that for this machine)")
    progress_argument(parser)
    finding_arguments(parser)
    parser.add_argument("--all", action="store_true", help=f"show more than {_SHOWN} findings of one rule in a layer")
    parser.set_defaults(run=_run, refuse=parser.error)


def _run(options: argparse.Namespace) -> int:
    tally = SeverityCounts()
    out = io.StringIO()  # Nothing is printed while a bar is shown.
    try:
        with _opened(options) as (layers, lints):
            found = _weighed(lints, options, tally)
            if options.format == "text":
                _print(found, layers, tally, out, everything=options.all)
            elif options.format == "json":
                rows = [_finding(each, layers) for each in found]
                totals = {"layers": len(layers), **tally.json()}
                value = {"what": options.what, "profile": options.profile, "findings": rows}
                out.write(json_text({**value, "totals": totals, "ok": tally.ok}, indent=2) + "\n")
            else:
                out.write(json_text(sarif_log(_result(each, layers) for each in found), indent=2) + "\n")
    finally:
        sys.stdout.write(out.getvalue())
    return tally.code


def _weighed(
    findings: Iterable[LayerFinding], options: argparse.Namespace, tally: SeverityCounts
) -> Iterator[LayerFinding]:
    """Yield the findings of the chosen layers and profile, with their severity, and count them in `tally`."""
    for each in findings:
        severity = severity_in(each.severity, options.profile)
        if severity is not None and (options.layer is None or each.location.layer in options.layer):
            tally.add(severity)
            yield attrs.evolve(each, severity=severity)


# Input: the layers to check.


@contextlib.contextmanager
def _opened(options: argparse.Namespace) -> Iterator[tuple[list[_Layer], Iterable[LayerFinding]]]:
    """Yield the layers, and an iterable of their findings in the order of the layers."""
    limits = limits_of(options)
    alone = _layer_alone(options.what, limits, windows=options.windows)
    if alone is not None:
        if options.ref is not None or options.platform is not None:
            options.refuse("--ref and --platform are for images, not for a layer file")
        for number in options.layer or ():
            require_layer(number, 1)
        uri = "stdin" if options.what == "-" else file_uri(ImageName.parse(options.what).place)
        yield [_Layer(title=escape(options.what), uri=uri)], alone
        return
    if options.windows:
        options.refuse("--windows is for a layer file, not for an image")
    links = options.profile == "lenient"
    with (
        progress(options.progress) as show,
        open_image(
            options.what,
            ref=options.ref,
            platform=options.platform,
            limits=limits,
            temporary_directory=options.temporary_directory,
            blob_links=links,
            session=session_of(options, options.what),
        ) as image,
    ):
        for number in options.layer or ():
            require_layer(number, len(image.layers))
        place = ImageName.parse(options.what).place
        layers = [_named(image, number, place) for number in range(len(image.layers))]
        # Layers above the highest chosen one are not read.
        chosen = image.layers[: max(options.layer or [len(layers)]) + 1]
        yield layers, lint_layers(chosen, windows=image.config.os == "windows", progress=show)


def _named(image: Image, number: int, place: str) -> _Layer:
    layer = image.layers[number]
    digest = layer.descriptor.digest
    file = place
    if os.path.isdir(place):
        file = os.path.join(place, "blobs", digest.algorithm, digest.encoded)
    return _Layer(title=layer.name, uri=file_uri(file), digest=str(digest))


def _layer_alone(what: str, limits: Limits, *, windows: bool) -> list[LayerFinding] | None:
    """Return the findings of a layer in a file or on stdin; None if `what` is an image."""
    if what == "-":
        stdin = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        return _lint_stream(stdin, what, limits, windows=windows, may_be_image=False)
    where = ImageName.parse(what)
    if where.transport:
        return None
    try:
        mode = os.stat(where.place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(mode):
        return None
    with open(where.place, "rb", buffering=0) as file:
        return _lint_stream(file, what, limits, windows=windows, may_be_image=stat.S_ISREG(mode))


def _lint_stream(
    stream: ByteStream, what: str, limits: Limits, *, windows: bool, may_be_image: bool
) -> list[LayerFinding] | None:
    is_image = has_names = has_layer = False

    def entries() -> Iterator[Entry]:
        nonlocal is_image, has_names, has_layer
        for entry in read_tar(plain, limits=limits):
            name = entry.name.removeprefix(b"./")
            has_names = has_names or name == b"repositories"
            has_layer = has_layer or name.endswith(b"/layer.tar")
            # Archives of Docker before 1.10 have `repositories` and `ID/layer.tar`, but no manifest.json.
            if may_be_image and (name in _MARKS or (has_names and has_layer)):
                is_image = True
                return
            yield entry

    try:
        plain = decompressed(stream, None, limits, what=escape(what))
        if plain.is_empty:
            raise TarFormatError(path=b"", reason="it is empty", offset=0)
        found = list(lint(entries(), limits=limits, windows=windows))
    except OCIError as error:
        error.add_note(escape(what))
        raise
    return None if is_image else found


# Output.


def _print(
    found: Iterator[LayerFinding], layers: list[_Layer], tally: SeverityCounts, out: TextIO, *, everything: bool
) -> None:
    for number, group in itertools.groupby(found, lambda each: each.location.layer):
        counts: Counter[str] = Counter()
        kept: dict[str, list[LayerFinding]] = {}
        try:
            for each in group:
                counts[each.rule] += 1
                if everything or counts[each.rule] <= _SHOWN:
                    kept.setdefault(each.rule, []).append(each)
        except OCIError:
            # The error may be about the next layer, so the findings of this one are printed first.
            _print_layer(layers[number], kept, counts, out)
            raise
        _print_layer(layers[number], kept, counts, out)
    out.write(f"{counted(len(layers), 'layer')}: {tally}\n")


def _print_layer(layer: _Layer, kept: dict[str, list[LayerFinding]], counts: Counter[str], out: TextIO) -> None:
    out.write(f"{layer.title}\n")
    for what in sorted(kept, key=lambda what: SEVERITIES.index(kept[what][0].severity)):
        out.writelines(_lines(kept[what], counts[what]))
    out.write("\n")


def _lines(found: list[LayerFinding], count: int) -> Iterator[str]:
    """Yield the output lines for the findings of one rule in one layer."""
    rule = LAYER_RULES[found[0].rule]
    yield f"  {found[0].severity} {rule.id}: {rule.sentence}\n"
    if rule.fix:
        yield f"    fix: {rule.fix}\n"
    for each in found:
        detail = f": {one_line(each.message)}" if each.message else ""
        yield f"    {escape(_path(each))} (entry {each.location.index}, byte {each.location.offset}){detail}\n"
    if count > len(found):
        yield f"    ... and {count - len(found)} more; --all shows them\n"


def _finding(each: LayerFinding, layers: list[_Layer]) -> dict[str, Any]:  # Any: JSON
    location, rule = each.location, LAYER_RULES[each.rule]
    digest = layers[location.layer].digest
    return {
        "rule": rule.id,
        "severity": each.severity,
        "layer": location.layer,
        **({"digest": digest} if digest else {}),
        **path_json(_path(each)),
        "index": location.index,
        "offset": location.offset,
        "message": each.message,
        "sentence": rule.sentence,
        "fix": rule.fix,
    }


def _result(each: LayerFinding, layers: list[_Layer]) -> Result:
    location, layer = each.location, layers[each.location.layer]
    rule = LAYER_RULES[each.rule]
    path = escape(_path(each))
    detail = f" ({one_line(each.message)})" if each.message else ""
    digest = {"digest": layer.digest} if layer.digest else {}
    return Result(
        rule=rule,
        severity=each.severity,
        message=f"{path}: {rule.sentence}{detail}",
        uri=layer.uri,
        name=path,
        kind="resource",
        identity=(str(location.layer), path),
        # Index and offset are those in the uncompressed tar, which may differ from the file.
        properties={
            "layer": location.layer,
            **digest,
            **path_json(_path(each)),
            "index": location.index,
            "offset": location.offset,
        },
    )
