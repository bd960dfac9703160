"""`oci-layers validate`: check a document or an image against the rules of the spec; each finding has a location."""

import argparse
import contextlib
import itertools
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs

from oci_layers.cli.findings import SeverityCounts, finding_arguments
from oci_layers.cli.options import choice_arguments, limits_of
from oci_layers.cli.output import counted, human_bytes, one_line, print_json
from oci_layers.cli.progress import progress
from oci_layers.cli.sarif import Result, SarifRule, file_uri, sarif_log
from oci_layers.errors import DocumentError, LimitError, NameFormatError, PlaceMissingError, escape, shortened
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_CONFIG, role_of
from oci_layers.store.check import check_image
from oci_layers.store.name import ImageName
from oci_layers.validation.detect import detect_media_type
from oci_layers.validation.document import judge, pinpoint
from oci_layers.validation.findings import Findings, Flaw
from oci_layers.validation.rules import RULES
from oci_layers.validation.schema import schema_errors
from oci_layers.verify.image import Verification

__all__ = ["add"]

_SCHEMA = SarifRule(id="schema", severity="error", sentence="A document fits the JSON Schema of its kind.")
"""The only rule of `--schema`."""
_HEAD = 4096
_BLANKS = b" \t\r\n"
# Prefixes of JSON text, as far as file names in a tar do not begin with them; and the byte order marks of UTF-16,
# which is a malformed document.
_JSON = (b"{", b"[", b'"', b"\xff\xfe", b"\xfe\xff")
_DOCUMENTS = frozenset({"index", "manifest", "config", "layout", "descriptor", "empty"})
_DIGEST = re.compile("(:[0-9a-f]{12})[0-9a-f]+")
_KINDS = {
    "index": "image index",
    "manifest": "image manifest",
    "config": "image config",
    "layout": "layout marker",
    "empty": "empty document",
}


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "validate",
        help="judge a document or an image by the spec",
        description="Judge a JSON document by every rule of the spec, or an IMAGE: the documents of the place, and all "
        "blobs that can be reached from them, by size, digest and diff_id. Exit code 1 when something is an error.",
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="a file with a document, - for one on stdin, or an IMAGE: oci:DIR[:REF], oci-archive:FILE[:REF], "
        "docker-archive:FILE[:NAME:TAG], or the path of one of these; all images in it, if no REF is given",
    )
    parser.add_argument("--media-type", metavar="TYPE", help="what the document is, if it does not say so itself")
    parser.add_argument(
        "--schema",
        action="store_true",
        help="judge a document by its JSON Schema alone, to compare with other validators",
    )
    parser.add_argument("--fast", action="store_true", help="read the documents of an image alone, and no layer")
    choice_arguments(parser, "only the image for this platform; all if left out")
    finding_arguments(parser)
    parser.add_argument("--progress", choices=("auto", "plain", "none"), default="auto", help="on stderr")
    parser.set_defaults(run=_validate, refuse=parser.error)


def _validate(options: argparse.Namespace) -> int:
    limits = limits_of(options)
    if options.what == "-" or options.media_type or _is_document(options.what):
        found = _document(options, limits)
    else:
        if options.schema:
            options.refuse("--schema is for documents, not for images")
        with progress(options.progress) as show:
            found = check_image(
                options.what,
                ref=options.ref,
                platform=options.platform,
                documents_only=options.fast,
                profile=options.profile,
                limits=limits,
                progress=show,
                blob_links=options.profile == "lenient",
            )
    tally = SeverityCounts()
    for severity, count in found.findings.totals.items():
        tally.add(severity, count)
    if options.format == "sarif":
        print_json(sarif_log((_result(flaw, options.what) for flaw in found.findings), left_out=_left_out(found)))
    elif options.format == "json":
        print_json(_json(found, tally, options))
    else:
        _print(found, tally, options)
    return tally.code


def _is_document(name: str) -> bool:
    """Return whether `name` is a document, not an archive, by its first bytes; a pipe is always a document."""
    where = ImageName.parse(name)
    if where.transport:
        return False
    try:
        mode = os.stat(where.place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(mode):
        return not stat.S_ISDIR(mode)
    with open(where.place, "rb") as file:
        head = file.read(_HEAD)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANKS)
    return text.startswith(_JSON) or not text


def _document(options: argparse.Namespace, limits: Limits) -> Verification:
    """Read and check one document."""
    media_type = options.media_type
    if options.ref is not None or options.platform is not None:
        options.refuse("--ref and --platform are for images, not for documents")
    if options.what != "-" and ImageName.parse(options.what).transport:
        options.refuse("--media-type is for documents, not for images")
    if media_type is not None and role_of(media_type) not in _DOCUMENTS:
        options.refuse(f"--media-type: no document is of the type {escape(media_type)}, as far as is known here")
    of_config = role_of(media_type) == "config" if media_type else limits.config_bytes >= limits.document_bytes
    limit = "config_bytes" if of_config else "document_bytes"
    allowed: int = getattr(limits, limit)
    raw = _read(options.what, allowed)
    if len(raw) > allowed:
        message = f"has more than {allowed} bytes (to allow more: --limit {limit}=NUMBER)"
        flaws = Findings([Flaw("LIM-01", "error", Digest.of(b""), "", message, media_type=media_type or "")])
    else:
        flaws = _judged(raw, media_type, options, limits)
    named = Findings((attrs.evolve(flaw, document=options.what) for flaw in flaws), flaws.left_out)
    return Verification(findings=named, bytes=min(len(raw), allowed), files=1)


def _judged(raw: bytes, media_type: str | None, options: argparse.Namespace, limits: Limits) -> Findings[Flaw]:
    is_told = True
    if media_type is None:
        longest = attrs.evolve(limits, config_bytes=max(limits.config_bytes, limits.document_bytes))
        try:
            media_type = detect_media_type(raw, limits=longest)
        except (DocumentError, LimitError):
            # It is malformed as any kind of document, with the same findings for each media type.
            media_type, limits, is_told = OCI_CONFIG, longest, False
    if media_type is None:
        reason = "nothing in it tells what it is; say so with --media-type TYPE"
        raise NameFormatError("document", options.what, reason)
    if options.schema:
        problems = schema_errors(raw, media_type, limits=limits)
        found = [
            Flaw("schema", "error", Digest.of(raw), each.pointer, each.message, media_type=media_type)
            for each in problems
        ]
        return Findings(pinpoint(found, raw))
    judged, _ = judge(raw, Descriptor.of(raw, media_type=media_type), profile=options.profile, limits=limits)
    flaws = list(judged) if is_told else [attrs.evolve(flaw, media_type="") for flaw in judged]
    return Findings(pinpoint(flaws, raw), judged.left_out)


def _read(what: str, allowed: int) -> bytes:
    """Return the document, or its first `allowed` + 1 bytes if it is longer."""
    parts: list[bytes] = []
    left = allowed + 1
    with contextlib.ExitStack() as closing:
        stream: Any = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)  # Any: a file of one kind or another
        if what != "-":
            try:
                stream = closing.enter_context(open(ImageName.parse(what).place, "rb", buffering=0))
            except (FileNotFoundError, NotADirectoryError):
                raise PlaceMissingError(what) from None
        while left and (part := stream.read(min(left, 1 << 16))):
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


def _print(found: Verification, tally: SeverityCounts, options: argparse.Namespace) -> None:
    for (document, digest), group in itertools.groupby(found.findings, lambda flaw: (flaw.document, flaw.digest)):
        flaws = list(group)
        sys.stdout.write(f"{escape(document) or digest}{_about(flaws[0])}\n")
        sys.stdout.writelines(_lines(flaws))
        sys.stdout.write("\n")
    if left_out := _left_out(found):
        sys.stdout.write(f"{left_out}\n\n")
    counts = [counted(found.documents + found.files, "document")]
    if options.fast and found.blobs:
        counts.append("no layer read")
    elif found.blobs:
        counts.append(counted(found.layers, "layer"))
    if others := found.blobs - found.layers - found.documents:
        counts.append(counted(others, "other blob"))
    sys.stdout.write(f"{', '.join([*counts, human_bytes(found.bytes)])}: {tally}\n")


def _left_out(found: Verification) -> str:
    """Return a message about the findings that are counted but not shown; empty if all are shown."""
    counts = Counter[str]()
    for (rule, _), count in found.findings.left_out.items():
        counts[rule] += count
    if not counts:
        return ""
    listed = ", ".join(f"{rule} {count:,} times" for rule, count in counts.most_common())
    return f"{counts.total():,} more are counted and not shown: {listed}"


def _about(flaw: Flaw) -> str:
    """Return the kind of a document and the place that refers to it, in parentheses."""
    kind = _KINDS.get(role_of(flaw.media_type)) or role_of(flaw.media_type) or escape(flaw.media_type)
    # The digest of the referring document is shortened: it is in full at its own findings, or it has none.
    about = ", ".join(filter(None, (kind, _DIGEST.sub(r"\1", flaw.named))))
    return f" ({about})" if about else ""


def _lines(flaws: Sequence[Flaw]) -> list[str]:
    # Line and column are omitted for blobs: most are one long line.
    places = [f"{flaw.line}:{flaw.column}" if flaw.line is not None and flaw.document else "" for flaw in flaws]
    wide = max(map(len, places))
    rules = max(len(flaw.rule) for flaw in flaws)
    lines = []
    for flaw, place in zip(flaws, places, strict=True):
        pointer = f"{shortened(flaw.pointer)}: " if flaw.pointer else ""
        value = "" if _is_shown(flaw) else f": {one_line(flaw.value or '')}"
        margin = f"{place:>{wide}}  " if wide else ""
        lines.append(f"  {margin}{flaw.severity:<7}  {flaw.rule:<{rules}}  {pointer}{one_line(flaw.message)}{value}\n")
    return lines


def _is_shown(flaw: Flaw) -> bool:
    """Return whether the message contains the value already, or is about its name."""
    value = (flaw.value or "").strip('"').removesuffix("...")
    return value in flaw.message or f'"{escape(flaw.pointer.rpartition("/")[2])}"' in flaw.message


def _json(found: Verification, tally: SeverityCounts, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    return {
        "what": options.what,
        "profile": options.profile,
        "findings": [_finding(flaw) for flaw in found.findings],
        "left_out": [
            {"rule": rule, "severity": severity, "count": count}
            for (rule, severity), count in sorted(found.findings.left_out.items())
        ],
        "totals": {
            "documents": found.documents + found.files,
            "layers": found.layers,
            "blobs": found.blobs,
            "bytes": found.bytes,
            **tally.json(),
        },
        "ok": tally.ok,
    }


def _finding(flaw: Flaw) -> dict[str, Any]:  # Any: JSON
    row: dict[str, Any] = {
        "rule": flaw.rule,
        "severity": flaw.severity,
        "document": flaw.document or str(flaw.digest),
        "media_type": flaw.media_type or None,
        "pointer": flaw.pointer,
        "message": flaw.message,
    }
    places = {"value": flaw.value, "line": flaw.line, "column": flaw.column}
    row |= {key: value for key, value in places.items() if value is not None}
    return {**row, "sentence": _rule(flaw).sentence}


def _rule(flaw: Flaw) -> SarifRule:
    rule = RULES.get(flaw.rule)
    return _SCHEMA if rule is None else SarifRule(id=rule.id, severity=rule.severity, sentence=rule.sentence)


def _result(flaw: Flaw, what: str) -> Result:
    document = flaw.document or str(flaw.digest)
    uri, is_file = _uri(flaw, what)
    pointer = f"{escape(flaw.pointer)}: " if flaw.pointer else ""
    value = {} if flaw.value is None else {"value": flaw.value}
    return Result(
        rule=_rule(flaw),
        severity=flaw.severity,
        message=f"{pointer}{one_line(flaw.message)}",
        uri=uri,
        line=flaw.line if is_file else None,
        column=flaw.column if is_file else None,
        name=f"{document}#{flaw.pointer}",
        identity=(flaw.document or flaw.media_type, flaw.pointer),
        properties={"document": document, "pointer": flaw.pointer, **value},
    )


def _uri(flaw: Flaw, what: str) -> tuple[str, bool]:
    """Return the URI of the file that contains the finding, and whether that file is the document itself."""
    if what == "-":
        return "stdin", True
    if flaw.document == what:
        return file_uri(what), True
    place = ImageName.parse(what).place
    if not os.path.isdir(place):
        return file_uri(place), False
    inside = flaw.document or f"blobs/{flaw.digest.algorithm}/{flaw.digest.encoded}"
    return file_uri(os.path.join(place, inside)), True
