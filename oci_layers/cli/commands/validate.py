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
from oci_layers.cli.options import choice_arguments, limits_of, progress_argument
from oci_layers.cli.output import counted, human_bytes, one_line, print_json
from oci_layers.cli.progress import progress
from oci_layers.cli.registries import session_of
from oci_layers.cli.sarif import Result, file_uri, sarif_log
from oci_layers.errors import DocumentError, LimitError, NameFormatError, PlaceMissingError, escape, shortened
from oci_layers.limits import Limits
from oci_layers.report import DocumentFinding, DocumentLocation, Finding
from oci_layers.rules import RULES
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_CONFIG, role_of
from oci_layers.store.check import check_image
from oci_layers.store.name import ImageName
from oci_layers.validation.detect import detect_media_type
from oci_layers.validation.document import add_positions, check_document, relocated
from oci_layers.validation.findings import Findings
from oci_layers.validation.schema import SCHEMA_RULE, schema_errors
from oci_layers.verify.image import Verification

__all__ = ["add"]

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
        help="check a document or an image against the spec",
        description="Check a JSON document against every rule of the spec, or an IMAGE: its documents, and all blobs "
        "reachable from them, by size, digest and diff_id. Exit code 1 on errors.",
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="a file with a document, - for one on stdin, or an IMAGE: oci:DIR[:REF], oci-archive:FILE[:REF], "
        "docker-archive:FILE[:NAME:TAG], or the path of one of these; all images in it, if no REF is given",
    )
    parser.add_argument("--media-type", metavar="TYPE", help="media type of the document (default: detected)")
    parser.add_argument(
        "--schema",
        action="store_true",
        help="check a document by its JSON Schema alone, to compare with other validators",
    )
    parser.add_argument("--fast", action="store_true", help="read only the documents of an image, and no layer")
    choice_arguments(parser, "check only the image for this platform (default: all)")
    finding_arguments(parser)
    progress_argument(parser)
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
                temporary_directory=options.temporary_directory,
                progress=show,
                blob_links=options.profile == "lenient",
                session=session_of(options, options.what),
            )
    tally = SeverityCounts()
    for severity, count in found.findings.totals.items():
        tally.add(severity, count)
    if options.format == "sarif":
        print_json(sarif_log((_result(finding, options.what) for finding in found.findings), left_out=_left_out(found)))
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
        options.refuse(f"--media-type: unknown document type {escape(media_type)}")
    of_config = role_of(media_type) == "config" if media_type else limits.config_bytes >= limits.document_bytes
    limit = "config_bytes" if of_config else "document_bytes"
    allowed: int = getattr(limits, limit)
    raw = _read(options.what, allowed)
    if len(raw) > allowed:
        message = f"has more than {allowed} bytes (to allow more: --limit {limit}=NUMBER)"
        location = DocumentLocation(digest=Digest.of(b""), media_type=media_type or "")
        found = Findings([Finding("LIM-01", "error", location, message)])
    else:
        found = _judged(raw, media_type, options, limits)
    named = Findings((relocated(each, document=options.what) for each in found), found.left_out)
    return Verification(findings=named, bytes=min(len(raw), allowed), files=1)


def _judged(raw: bytes, media_type: str | None, options: argparse.Namespace, limits: Limits) -> Findings:
    is_told = True
    if media_type is None:
        longest = attrs.evolve(limits, config_bytes=max(limits.config_bytes, limits.document_bytes))
        try:
            media_type = detect_media_type(raw, limits=longest)
        except (DocumentError, LimitError):
            # It is malformed as any kind of document, with the same findings for each media type.
            media_type, limits, is_told = OCI_CONFIG, longest, False
    if media_type is None:
        reason = "media type not detected; give it with --media-type TYPE"
        raise NameFormatError("document", options.what, reason)
    if options.schema:
        digest = Digest.of(raw)
        found = [
            Finding(
                SCHEMA_RULE.id,
                SCHEMA_RULE.severity,
                DocumentLocation(each.pointer, digest, media_type=media_type),
                each.message,
            )
            for each in schema_errors(raw, media_type, limits=limits)
        ]
        return Findings(add_positions(found, raw))
    judged, _ = check_document(raw, Descriptor.of(raw, media_type=media_type), profile=options.profile, limits=limits)
    found = list(judged) if is_told else [relocated(each, media_type="") for each in judged]
    return Findings(add_positions(found, raw), judged.left_out)


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
    for (document, digest), group in itertools.groupby(found.findings, _document_of):
        findings = list(group)
        sys.stdout.write(f"{escape(document) or digest}{_about(findings[0].location)}\n")
        sys.stdout.writelines(_lines(findings))
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


def _document_of(finding: DocumentFinding) -> tuple[str, Digest | None]:
    return finding.location.document, finding.location.digest


def _left_out(found: Verification) -> str:
    """Return a message about the findings that are counted but not shown; empty if all are shown."""
    counts = Counter[str]()
    for (rule, _), count in found.findings.left_out.items():
        counts[rule] += count
    if not counts:
        return ""
    listed = ", ".join(f"{rule} {count:,} times" for rule, count in counts.most_common())
    return f"{counts.total():,} more are counted and not shown: {listed}"


def _about(location: DocumentLocation) -> str:
    """Return the kind of a document and the place that refers to it, in parentheses."""
    kind = _KINDS.get(role_of(location.media_type)) or role_of(location.media_type) or escape(location.media_type)
    # The digest of the referring document is shortened: it is in full at its own findings, or it has none.
    about = ", ".join(filter(None, (kind, _DIGEST.sub(r"\1", location.named_by))))
    return f" ({about})" if about else ""


def _lines(findings: Sequence[DocumentFinding]) -> list[str]:
    # Line and column are omitted for blobs: most are one long line.
    places = [
        f"{at.line}:{at.column}" if at.line is not None and at.document else ""
        for at in (each.location for each in findings)
    ]
    wide = max(map(len, places))
    rules = max(len(finding.rule) for finding in findings)
    lines = []
    for finding, place in zip(findings, places, strict=True):
        pointer = f"{shortened(finding.location.pointer)}: " if finding.location.pointer else ""
        value = "" if _is_shown(finding) else f": {one_line(finding.location.value or '')}"
        margin = f"{place:>{wide}}  " if wide else ""
        lines.append(
            f"  {margin}{finding.severity:<7}  {finding.rule:<{rules}}  {pointer}{one_line(finding.message)}{value}\n"
        )
    return lines


def _is_shown(finding: DocumentFinding) -> bool:
    """Return whether the message contains the value already, or is about its name."""
    value = (finding.location.value or "").strip('"').removesuffix("...")
    return value in finding.message or f'"{escape(finding.location.pointer.rpartition("/")[2])}"' in finding.message


def _json(found: Verification, tally: SeverityCounts, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    return {
        "what": options.what,
        "profile": options.profile,
        "findings": [_finding(finding) for finding in found.findings],
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


def _finding(finding: DocumentFinding) -> dict[str, Any]:  # Any: JSON
    row: dict[str, Any] = {
        "rule": finding.rule,
        "severity": finding.severity,
        "document": finding.location.document or str(finding.location.digest),
        "media_type": finding.location.media_type or None,
        "pointer": finding.location.pointer,
        "message": finding.message,
    }
    places = {"value": finding.location.value, "line": finding.location.line, "column": finding.location.column}
    row |= {key: value for key, value in places.items() if value is not None}
    return {**row, "sentence": RULES[finding.rule].sentence}


def _result(finding: DocumentFinding, what: str) -> Result:
    document = finding.location.document or str(finding.location.digest)
    uri, is_file = _uri(finding, what)
    pointer = f"{escape(finding.location.pointer)}: " if finding.location.pointer else ""
    value = {} if finding.location.value is None else {"value": finding.location.value}
    return Result(
        rule=RULES[finding.rule],
        severity=finding.severity,
        message=f"{pointer}{one_line(finding.message)}",
        uri=uri,
        line=finding.location.line if is_file else None,
        column=finding.location.column if is_file else None,
        name=f"{document}#{finding.location.pointer}",
        identity=(finding.location.document or finding.location.media_type, finding.location.pointer),
        properties={"document": document, "pointer": finding.location.pointer, **value},
    )


def _uri(finding: DocumentFinding, what: str) -> tuple[str, bool]:
    """Return the URI of the file that contains the finding, and whether that file is the document itself."""
    if what == "-":
        return "stdin", True
    if finding.location.document == what:
        return file_uri(what), True
    place = ImageName.parse(what).place
    if not os.path.isdir(place):
        return file_uri(place), False
    inside, digest = finding.location.document, finding.location.digest
    if not inside and digest is not None:
        inside = f"blobs/{digest.algorithm}/{digest.encoded}"
    return file_uri(os.path.join(place, inside)), True
