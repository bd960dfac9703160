"""The rules: each is broken alone by one document, and barely kept by another; and the walk that asks them."""

import contextlib
import json
import time

import pytest

from oci_layers.errors import UnsupportedError
from oci_layers.limits import Limits
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.validation.rules import CHECKED_RULES, DOCUMENT_RULES, validate
from tests.support.documents import CONFIG, DESCRIPTOR, GOOD, MANIFEST, MISSING, SHA, changed, dumped
from tests.support.findings import in_document
from tests.validation.rule_cases import ALGORITHMS, ROWS


def document(row, value):
    good = GOOD[row.media_type]
    for way, each in (value if row.way == "" else {row.way: value}).items():
        # What is not there need not be taken away.
        with contextlib.suppress(KeyError):
            good = changed(good, way, each)
    return dumped(good)


def places(raw, media_type, **options):
    return {(breach.rule, breach.location.pointer) for breach in validate(raw, media_type, **options)}


def severities(raw, media_type, profile):
    return {(breach.rule, breach.severity) for breach in validate(raw, media_type, profile=profile)}


def identify(row):
    return f"{row.rule} {row.where}"


@pytest.mark.parametrize("row", ROWS, ids=identify)
def test_a_document_that_breaks_one_rule_is_found_at_that_place_alone(row):
    # A layer that must not be distributed further, with a suffix of its own, is also not one that all support.
    besides = {("MAN-15", row.where)} if row.rule == "NDL-01" else set()

    assert places(document(row, row.broken), row.media_type) - besides == {(row.rule, row.where)}


@pytest.mark.parametrize("row", ROWS, ids=identify)
def test_a_document_that_barely_keeps_a_rule_is_good(row):
    assert row.rule not in {rule for rule, _ in places(document(row, row.kept), row.media_type)}


@pytest.mark.parametrize(("rule", "broken", "kept"), ALGORITHMS, ids=[f"{row[0]} {row[1][:20]}" for row in ALGORITHMS])
def test_a_digest_has_the_length_and_the_letters_of_its_algorithm(rule, broken, kept):
    said = ("DIG-08", "/digest")

    assert places(dumped(DESCRIPTOR | {"digest": broken}), OCI_DESCRIPTOR) == {said, (rule, "/digest")}
    assert places(dumped(DESCRIPTOR | {"digest": kept}), OCI_DESCRIPTOR) == {said}


def test_every_rule_is_in_the_tables_of_cases_or_says_why_it_cannot_be():
    tested = {row.rule for row in ROWS} | {rule for rule, _, _ in ALGORITHMS}

    assert {row.rule.id for row in CHECKED_RULES if row.checks} == tested
    assert [row.rule.id for row in CHECKED_RULES if bool(row.checks) == bool(row.rule.unchecked)] == []
    assert all(rule.sentence.endswith(".") and len(rule.id) == 6 for rule in DOCUMENT_RULES.values())


@pytest.mark.parametrize(
    ("family", "count"),
    [
        *(("DSC", 28), ("DIG", 16), ("MAN", 21), ("ART", 6), ("IDX", 18), ("CFG", 25), ("CHN", 5), ("LAY", 12)),
        *(("LYR", 18), ("WHT", 12), ("NDL", 4), ("MTY", 7), ("ANN", 10), ("CON", 6), ("CNV", 6), ("LIM", 2)),
    ],
)
def test_every_id_of_a_page_is_in_the_table(family, count):
    assert [rule for rule in DOCUMENT_RULES if rule.startswith(family)] == [
        f"{family}-{number:02}" for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("media_type", GOOD)
@pytest.mark.parametrize("profile", ["strict", "default", "lenient"])
def test_a_good_document_keeps_every_rule_in_every_profile(media_type, profile):
    assert validate(dumped(GOOD[media_type]), media_type, profile=profile) == ()
    assert validate(dumped(CONFIG), DOCKER_CONFIG, profile=profile) == ()


def test_all_that_is_wrong_is_found_at_once_in_the_order_of_the_places():
    layers = [DESCRIPTOR] * 10 + [{"mediaType": "x", "digest": "sha256:A", "size": -1}]
    broken = MANIFEST | {"schemaVersion": 1, "layers": layers, "Manifests": [], "config": 5, "annotations": {"a.b": 1}}

    assert validate(dumped(broken), OCI_MANIFEST) == (
        in_document("MAN-21", "error", "/Manifests", "belongs to an image index, not to a manifest"),
        in_document("ANN-01", "error", "/annotations/a.b", "must be a string, not an integer"),
        in_document("MAN-06", "error", "/config", "must be an object, not an integer"),
        in_document(
            *("DIG-05", "error", "/layers/10/digest"),
            '"sha256:A" is no valid sha256 digest: expected 64 lowercase hex digits',
        ),
        in_document("DSC-02", "error", "/layers/10/mediaType", '"x" is not a media type'),
        in_document("DSC-07", "error", "/layers/10/size", "must not be negative"),
        in_document("MAN-01", "error", "/schemaVersion", "must be 2"),
    )


def test_a_breach_is_shown_in_one_printable_line():
    raw = dumped(changed(MANIFEST, "annotations", {"a\nb": "x"}))

    assert [str(breach) for breach in validate(raw, OCI_MANIFEST)] == [
        'note ANN-02 /annotations/a\\x0ab: "a\\x0ab" is not a name in reverse domain order'
    ]
    assert str(validate(b"", OCI_LAYOUT)[0]) == "error CON-04 /: is not JSON at line 1 column 1: Expecting value"


def test_the_profiles_weigh_what_is_advised():
    raw = dumped(changed(MANIFEST, "layers", []) | {"mediaType": OCI_MANIFEST, "annotations": {"a": "b"}})

    assert severities(raw, OCI_MANIFEST, "default") == {("MAN-13", "warning"), ("ANN-02", "note")}
    assert severities(raw, OCI_MANIFEST, "strict") == {("MAN-13", "error"), ("ANN-02", "warning")}
    assert severities(raw, OCI_MANIFEST, "lenient") == {("MAN-13", "warning")}


def test_the_lenient_profile_warns_of_what_registries_take_and_refuses_what_no_program_can_use():
    raw = dumped(DESCRIPTOR | {"mediaType": "x", "digest": "x"})

    assert severities(raw, OCI_DESCRIPTOR, "default") == {("DSC-02", "error"), ("DIG-01", "error")}
    assert severities(raw, OCI_DESCRIPTOR, "lenient") == {("DSC-02", "warning"), ("DIG-01", "error")}


@pytest.mark.parametrize(
    ("media_type", "way"),
    [
        (OCI_MANIFEST, "annotations"),
        (OCI_MANIFEST, "mediaType"),
        (OCI_MANIFEST, "subject"),
        (OCI_MANIFEST, "layers/0/urls"),
        (OCI_INDEX, "manifests/0/platform"),
        (OCI_INDEX, "manifests/0/platform/variant"),
    ],
)
def test_null_is_absent_in_the_lenient_profile_alone(media_type, way):
    raw = dumped(changed(GOOD[media_type], way, None))

    assert {pointer for _, pointer in places(raw, media_type)} == {f"/{way}"}
    assert places(raw, media_type, profile="lenient") == set()


@pytest.mark.parametrize(
    ("way", "value", "rule", "pointer"),
    [
        ("rootfs/diff_ids", None, "CFG-19", "/rootfs/diff_ids"),
        ("config/Entrypoint", "/e", "CFG-12", "/config/Entrypoint"),
        ("config/Cmd", "", "CFG-12", "/config/Cmd"),
        ("config/Cmd", ["c", None], "CFG-12", "/config/Cmd/1"),
        ("config/Env", [None], "CFG-11", "/config/Env/0"),
        ("config/ExposedPorts", {"80": None}, "CFG-10", "/config/ExposedPorts/80"),
        ("config/Volumes", {"v": None}, "CFG-13", "/config/Volumes/v"),
        ("config/Labels", {"a.b": None}, "ANN-01", "/config/Labels/a.b"),
    ],
)
def test_what_docker_reads_though_its_type_is_wrong_is_tolerated_in_the_lenient_profile(way, value, rule, pointer):
    raw = dumped(changed(CONFIG, way, value))

    for profile, severity in (("strict", "error"), ("default", "error"), ("lenient", "warning")):
        (breach,) = validate(raw, OCI_CONFIG, profile=profile)
        assert (breach.rule, breach.severity, breach.location.pointer) == (rule, severity, pointer)


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("rootfs/diff_ids", [None]),
        ("rootfs/diff_ids", SHA),
        ("config/Entrypoint", 5),
        ("config/Cmd", ["c", 5]),
        ("config/Env", "A=b"),
        ("config/ExposedPorts", {"80": []}),
        ("config/Labels", {"a.b": 5}),
    ],
)
def test_what_docker_does_not_read_either_is_an_error_in_the_lenient_profile_too(way, value):
    (breach,) = validate(dumped(changed(CONFIG, way, value)), OCI_CONFIG, profile="lenient")

    assert breach.severity == "error"


def test_the_annotations_of_a_manifest_have_no_null_in_any_profile():
    raw = dumped(changed(MANIFEST, "annotations", {"a.b": None}))

    assert severities(raw, OCI_MANIFEST, "lenient") == {("ANN-01", "error")}


def test_problems_of_json_that_are_not_listed_are_counted():
    found = validate(b'{"a":[' + b",".join([b"NaN"] * 1700) + b"]}", OCI_MANIFEST)

    assert (len(found), found.total, found.left_out) == (1000, 1700, {("CON-04", "error"): 700})


def test_an_error_behind_thousands_of_notes_is_kept():
    annotations = {f"{number}": "x" for number in range(3000)}
    found = validate(dumped(MANIFEST | {"annotations": annotations, "schemaVersion": 3}), OCI_MANIFEST)

    assert [(breach.rule, breach.location.pointer) for breach in found if breach.severity == "error"] == [
        ("MAN-01", "/schemaVersion")
    ]
    assert (found.totals, found.left_out) == ({"note": 3000, "error": 1}, {("ANN-02", "note"): 2000})


def test_what_is_required_is_never_null():
    raw = dumped(changed(MANIFEST, "config", None))

    assert places(raw, OCI_MANIFEST, profile="lenient") == {("MAN-06", "/config")}


def test_every_optional_field_of_a_config_may_be_null():
    """CFG-01."""
    names = ["created", "author", "os.version", "os.features", "variant", "config", "history"]
    inner = ["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal"]
    inner += ["ArgsEscaped", "Memory", "MemorySwap", "CpuShares", "Healthcheck", "OnBuild", "Shell", "StopTimeout"]
    steps = dict.fromkeys(["created", "created_by", "author", "comment", "empty_layer"])

    assert validate(dumped(CONFIG | dict.fromkeys(names)), OCI_CONFIG) == ()
    filled = {"config": dict.fromkeys(inner) | {"Healthcheck": {"Test": None, "Interval": None}}, "history": [steps]}
    assert validate(dumped(CONFIG | filled), OCI_CONFIG) == ()


@pytest.mark.parametrize("media_type", GOOD)
def test_unknown_fields_are_nobodys_fault(media_type):
    """CFG-02, CON-02, ANN-05."""
    assert validate(dumped(GOOD[media_type] | {"x-unknown": [{"size": -1}]}), media_type, profile="strict") == ()


@pytest.mark.parametrize(
    ("raw", "rule", "pointer", "message"),
    [
        pytest.param(raw, rule, pointer, message, id=case)
        for case, raw, rule, pointer, message in [
            ("no JSON", b"{", "CON-04", "", "is not JSON at line 1 column 2: Expecting property name"),
            ("equal keys", b'{"a":{"b":1,"b":2}}', "CON-04", "/a/b", "name is repeated in its object"),
            ("an array", b"[]", "CON-04", "", "must be an object, not an array"),
            ("byte order mark", b"\xef\xbb\xbf{}", "CON-04", "", "begins with a byte order mark"),
            ("half a pair", b'{"a":"\\ud800"}', "CON-04", "/a", "holds half of a surrogate pair"),
            ("a long number", b'{"a":' + b"9" * 10_000 + b"}", "CON-04", "/a", "is a number of 10000 digits"),
            ("too long", b" " * 51, "LIM-01", "", "limit document_bytes is 50, the document has 51 bytes"),
        ]
    ],
)
def test_what_is_not_json_is_one_breach_with_its_place(raw, rule, pointer, message):
    limits = Limits(document_bytes=50 if rule == "LIM-01" else 20_000)
    (breach,) = validate(raw, OCI_MANIFEST, limits=limits, profile="lenient")

    assert (breach.rule, breach.severity, breach.location.pointer) == (rule, "error", pointer)
    assert breach.message.startswith(message)


def test_a_config_has_a_limit_of_its_own():
    limits = Limits(document_bytes=10, config_bytes=1000)

    assert validate(dumped(CONFIG), OCI_CONFIG, limits=limits) == ()
    assert places(dumped(CONFIG), OCI_MANIFEST, limits=limits) == {("LIM-01", "")}


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        (b'{"a":' * 4 + b"1" + b"}" * 4, 15),
        (b'{"[[[[":["{{{{\\"{{",[[[' + b"]]]]}", 21),
        (b'{"a":[],"b":[[1,{"c":2}]]}', 16),
    ],
)
def test_nesting_past_the_limit_is_found_at_its_byte(raw, at):
    assert validate(raw, OCI_MANIFEST, limits=Limits(json_depth=3)) == (
        in_document("LIM-02", "error", "", f"limit json_depth is 3, the document is nested more deeply at byte {at}"),
    )


@pytest.mark.parametrize(
    "raw",
    [b"[" * 4_000_000, b'{"a":' * 800_000, b"[]," * 1_300_000, b'"' * 4_000_000, b'{"a":"' + b"\\" * 4_000_000],
    ids=["arrays", "objects", "side by side", "quotes", "backslashes"],
)
def test_megabytes_of_nonsense_are_answered_in_bounded_time(raw):
    start = time.process_time()
    (breach,) = validate(raw, OCI_MANIFEST)

    assert breach.rule in {"LIM-02", "CON-04"}
    assert time.process_time() - start < 5


def test_a_huge_document_is_refused_before_it_is_read():
    raw = bytes(Limits().document_bytes + 1)

    assert places(raw, OCI_MANIFEST) == {("LIM-01", "")}


def test_the_content_of_the_empty_type_is_two_bytes():
    """ART-01."""
    assert validate(b"{}", OCI_EMPTY) == ()
    for raw in [b"{} ", b'{"a":1}']:
        assert validate(raw, OCI_EMPTY) == (
            in_document("ART-01", "error", "", "must be the two bytes {} and nothing else"),
        )
    assert places(b"", OCI_EMPTY) == {("CON-04", "")}


@pytest.mark.parametrize("media_type", [OCI_LAYER, "application/xml", ""])
def test_a_media_type_that_names_no_document_is_an_error_of_the_caller(media_type):
    with pytest.raises(UnsupportedError) as caught:
        validate(b"{}", media_type)
    assert caught.value.value == media_type


def test_ten_thousand_layers_are_judged_one_by_one():
    raw = dumped(MANIFEST | {"layers": [DESCRIPTOR | {"size": -1}] * 10_000})

    found = validate(raw, OCI_MANIFEST)
    assert [breach.location.pointer for breach in found] == [f"/layers/{index}/size" for index in range(1000)]
    assert (found.total, found.left_out, found.ok) == (10_000, {("DSC-07", "error"): 9_000}, False)


def test_the_kinds_of_a_descriptor_are_looked_at_wherever_one_stands():
    broken = DESCRIPTOR | {"size": "1", "annotations": {"a.b": None}, "platform": {"os": "linux"}}
    raw = json.dumps(MANIFEST | {"config": broken, "layers": [broken], "subject": broken}).encode()

    assert places(raw, OCI_MANIFEST) == {
        (rule, f"/{place}/{inner}")
        for place in ("config", "layers/0", "subject")
        for rule, inner in [
            ("DSC-09", "size"),
            ("ANN-01", "annotations/a.b"),
            ("IDX-09", "platform/architecture"),
        ]
    }


def test_a_missing_part_is_at_the_place_where_it_would_be():
    raw = dumped(changed(changed(CONFIG, "os", MISSING), "rootfs", {"diff_ids": [SHA]}))

    assert validate(raw, OCI_CONFIG) == (
        in_document("CFG-06", "error", "/os", "is required"),
        in_document("CFG-18", "error", "/rootfs/type", "is required"),
    )
