"""For each rule: what breaks it alone, where, and what barely keeps it.

A row changes one place of the smallest good document of a kind, or some places, given as a mapping.
"""

from typing import NamedTuple

from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN_LAYER_GZIP,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_ZSTD,
    OCI_LAYOUT,
    OCI_MANIFEST,
    OCI_NONDISTRIBUTABLE_LAYER,
)
from oci_layers.testing.strategies.word import DATES, MEDIA_TYPES, URIS
from tests.support.documents import DESCRIPTOR, ENTRY, MISSING, SHA, digest

EMPTY = {"mediaType": OCI_EMPTY, "digest": digest(b"{}"), "size": 2}
KEY = "org.opencontainers.image."


class Row(NamedTuple):
    rule: str
    media_type: str
    way: str
    """Where the change is, and also the fault unless `pointer` says another place."""
    broken: object
    kept: object
    pointer: str | None = None

    @property
    def where(self):
        return f"/{self.way}" if self.pointer is None else self.pointer


def rows(rule, media_type, way, broken, kept, pointer=None):
    """Return a row for each of the `broken` values with each of the `kept` ones in turn."""
    count = max(len(broken), len(kept))
    return [
        Row(rule, media_type, way, broken[number % len(broken)], kept[number % len(kept)], pointer)
        for number in range(count)
    ]


def string(rule, media_type, way, *kept):
    return rows(rule, media_type, way, [None, 7, True, [], {}, 1.5], kept)


def optional_string(rule, media_type, way, *kept):
    """As `string`, for a field of a config, which may be null."""
    return rows(rule, media_type, way, [7, True, [], {}], [None, MISSING, *kept])


D, M, X, C = OCI_DESCRIPTOR, OCI_MANIFEST, OCI_INDEX, OCI_CONFIG
LONG = "a" * 127
BAD_TYPES = [
    "",
    "application",
    "application/",
    "/json",
    ".a/b",
    "a/.b",
    "a/b/c",
    "text/plain; charset=utf-8",
    "a/b\n",
    "é/b",
    f"{LONG}a/b",
    f"a/{LONG}a",
]
BAD_URIS = ["", "value", "/a", "//a/b", "https://e.com/a b", "https://é.com/", "http://[::1", "http://[::g]/", "a:%zz"]
BAD_URIS += ["http://[fe80::1%25eth0]/", "1a:b", "https://a/\n", "a:[", "http://a:b:c/", "http://[v.a]/", "http://a/?["]
BAD_DATES = ["", "2015-10-31", "2015-10-31T22:22:56", "2015-10-31 22:22:56Z", "2015-10-31T22:22:56,5Z"]
BAD_DATES += ["2015-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2015-04-31T00:00:00Z", "2015-00-01T00:00:00Z"]
BAD_DATES += ["2015-13-01T00:00:00Z", "2015-01-00T00:00:00Z", "2015-01-01T24:00:00Z", "2015-01-01T00:60:00Z"]
BAD_DATES += ["2016-12-31T23:59:61Z", "2016-12-31T12:59:60Z", "2015-01-01T00:00:00+24:00", "2015-01-01T00:00:00+00:60"]
BAD_DATES += ["2015-01-01T00:00:00.Z", "2015-01-01T00:00:00Z\n", "10000-01-01T00:00:00Z", "2015-01-01T00:00:00+0000"]
BAD_DATES += ["٢015-01-01T00:00:00Z", "2015-01-01T00:00Z"]
GOOD_TYPES, GOOD_URIS, GOOD_DATES = list(MEDIA_TYPES), list(URIS), list(DATES)
BAD_DIGESTS = [
    "",
    "a",
    ":",
    "a:",
    ":a",
    "A:b",
    "a+:b",
    "+a:b",
    "a++b:c",
    "a:b:c",
    "a:b/c",
    "a:b\n",
    "é:b",
    "a:é",
    "a/b:c",
]
GOOD_DIGESTS = ["sha256:" + "a" * 64]

ROWS = [
    *string("DSC-01", D, "mediaType", "a/b"),
    Row("DSC-01", D, "mediaType", MISSING, "a/b"),
    *rows("DSC-02", D, "mediaType", BAD_TYPES, GOOD_TYPES),
    *rows("DSC-02", M, "layers/0/mediaType", BAD_TYPES, [OCI_LAYER]),
    *string("DSC-04", D, "digest", SHA),
    Row("DSC-04", M, "config/digest", MISSING, SHA),
    Row("DSC-06", D, "size", MISSING, 0),
    *rows("DSC-07", D, "size", [-1, -(1 << 63), -(1 << 70)], [0, 1]),
    Row("DSC-07", X, "manifests/0/size", -1, 0),
    *rows("DSC-09", D, "size", [None, "7682", True, 1.0, 1e3, [], {}, 1 << 63, 1 << 64], [0, (1 << 63) - 1]),
    *rows("DSC-10", D, "urls", [None, "https://e.com", {}, 1], [[], ["https://e.com"]]),
    *rows("DSC-10", D, "urls", [["https://a", 1], ["https://a", None]], [["https://a", "http://b"]], "/urls/1"),
    *rows("DSC-11", D, "urls", [[text] for text in BAD_URIS], [[text] for text in GOOD_URIS], "/urls/0"),
    *rows("DSC-12", D, "urls", [["ftp://x/y"], ["file:///x"], ["javascript:alert(1)"]], [["Http://x/"]], "/urls/0"),
    *rows("DSC-13", D, "annotations", [[], "a", 1, True], [{}, MISSING]),
    *rows("DSC-14", D, "data", [None, 1, [], {}], [MISSING]),
    *rows(
        "DSC-15",
        D,
        "data",
        ["e30", "e3\n0=", " e30=", "e31=", "=", "e30==", "e30=e30=", "-_8=", "é", "e"],
        [MISSING],
    ),
    Row(
        "DSC-16",
        D,
        "",
        {"data": "e30=", "size": 2},
        {"data": "e30=", "size": 2, "digest": digest(b"{}")},
        "/data",
    ),
    Row("DSC-16", D, "", {"data": "", "size": 1}, {"data": "", "size": 0, "digest": digest(b"")}, "/data"),
    Row("DSC-16", D, "", {"data": "e30=", "size": 3, "digest": digest(b"{}")}, {"data": MISSING}, "/data"),
    Row("DSC-21", D, "artifactType", None, "a/b"),
    Row("DSC-21", X, "manifests/0/artifactType", 7, "a/b"),
    *rows("DSC-22", D, "artifactType", BAD_TYPES, GOOD_TYPES),
    Row("DSC-23", X, "manifests/0/platform", MISSING, ENTRY["platform"]),
    Row(
        "DSC-23", X, "", {"manifests/0/platform": MISSING}, {"manifests/0/artifactType": "a/b"}, "/manifests/0/platform"
    ),
    *rows("DIG-01", D, "digest", BAD_DIGESTS, GOOD_DIGESTS),
    Row("DIG-01", C, "rootfs/diff_ids/0", "x", SHA),
    *rows("DIG-05", D, "digest", ["sha256:" + text for text in ("a" * 63, "a" * 65, "A" * 64, "g" * 64)], [SHA]),
    Row("DIG-05", C, "rootfs/diff_ids/0", "sha256:" + "A" * 64, SHA),
    *rows("DIG-08", D, "digest", ["sha512:" + "a" * 128, "blake3:" + "a" * 64, "a+b:c=_-", "md5:a"], [SHA]),
    Row("MAN-01", M, "schemaVersion", MISSING, 2),
    *rows("MAN-01", M, "schemaVersion", [None, "2", 2.0, True, 1, 3, -2], [2]),
    *rows("MAN-02", M, "mediaType", [MISSING, None, 7, "", OCI_INDEX, DOCKER_MANIFEST, OCI_MANIFEST + "\n"], [M]),
    *rows("MAN-02", DOCKER_MANIFEST, "mediaType", [OCI_MANIFEST, DOCKER_MANIFEST_LIST], [DOCKER_MANIFEST]),
    *rows(
        "MAN-03",
        M,
        "",
        [{"artifactType": text, "config/mediaType": "a/b"} for text in [None, 1, *BAD_TYPES]],
        [{"artifactType": text, "config/mediaType": "a/b"} for text in GOOD_TYPES],
        "/artifactType",
    ),
    Row("MAN-04", M, "", {"config": EMPTY}, {"config": EMPTY, "artifactType": "a/b"}, "/artifactType"),
    *rows("MAN-06", M, "config", [MISSING, None, [], "a", 1], [EMPTY | {"mediaType": "a/b"}]),
    *rows("MAN-09", M, "config/mediaType", [DOCKER_CONFIG], [OCI_CONFIG, "a/b"]),
    *rows("MAN-12", M, "layers", [MISSING, None, {}, "a"], [[DESCRIPTOR]]),
    *rows("MAN-12", M, "layers/1", [None, 7, "x", [], True], [DESCRIPTOR]),
    Row("MAN-13", M, "layers", [], [DESCRIPTOR]),
    *rows("MAN-15", M, "layers/0/mediaType", [OCI_LAYER_ZSTD, "a/b"], [OCI_LAYER]),
    Row("MAN-15", M, "layers/0/mediaType", "a/b", OCI_LAYER),
    *rows("MAN-17", M, "subject", [None, ".nope", [], 1], [ENTRY, MISSING]),
    *rows("MAN-18", M, "annotations", [[], "a", 1], [{}]),
    *rows("MAN-21", M, "manifests", [[], None], [MISSING]),
    *[
        Row("MAN-21", media_type, way, value, MISSING)
        for media_type, way, value in [
            (M, "fsLayers", []),
            (M, "FSLAYERS", []),
            (M, "history", []),
            (M, "signatures", 1),
            (M, "Manifests", []),
            (M, "Layers", []),
            (M, "config/SIZE", 1),
            (M, "layers/0/\u017fize", 1),
            (X, "config", {}),
            (X, "layers", []),
            (X, "fsLayers", []),
            (X, "MediaType", "a/b"),
            (X, "manifests/0/platform/OS", "x"),
            (D, "Digest", SHA),
            (C, "Architecture", "x"),
            (C, "rootfs/Type", "x"),
            (OCI_LAYOUT, "imagelayoutversion", "x"),
        ]
    ],
    Row("MAN-21", M, "subject", ENTRY | {"Platform": {}}, ENTRY | {"PlatformX": {}}, "/subject/Platform"),
    Row("ART-01", D, "", EMPTY | {"digest": SHA}, EMPTY, "/digest"),
    Row("ART-01", D, "", EMPTY | {"size": 3}, EMPTY, "/size"),
    Row("ART-02", M, "artifactType", "a/b", MISSING, "/config/mediaType"),
    Row(
        "ART-04",
        M,
        "",
        {"config/mediaType": "a/b", "layers/0/size": 0},
        {"config/mediaType": "a/b", "layers/0/size": 0, "layers/1": DESCRIPTOR},
        "/layers",
    ),
    Row("IDX-02", X, "schemaVersion", MISSING, 2),
    *rows("IDX-02", X, "schemaVersion", [None, "2", 2.0, True, 1, 3], [2]),
    *rows("IDX-03", X, "mediaType", [MISSING, None, 7, "", OCI_MANIFEST, DOCKER_MANIFEST_LIST], [OCI_INDEX]),
    *rows("IDX-03", DOCKER_MANIFEST_LIST, "mediaType", [OCI_INDEX], [DOCKER_MANIFEST_LIST]),
    *rows("IDX-04", X, "artifactType", [None, 1, *BAD_TYPES], GOOD_TYPES),
    *rows("IDX-05", X, "manifests", [MISSING, None, {}, "a"], [[]]),
    *rows("IDX-05", X, "manifests/1", [None, 7, "x", []], [ENTRY]),
    *rows("IDX-06", X, "manifests/0/mediaType", ["application/xml", OCI_LAYER], [OCI_INDEX, M, DOCKER_MANIFEST]),
    *rows("IDX-08", X, "manifests/0/platform", [None, 7, "x", []], [ENTRY["platform"]]),
    *string("IDX-09", X, "manifests/0/platform/architecture", "arm", "unknown"),
    *rows("IDX-09", X, "manifests/0/platform/os", [MISSING, None, 7, "Linux", "", "x"], ["windows", "unknown"]),
    *rows("IDX-09", X, "manifests/0/platform/architecture", [MISSING, "x86_64", ""], ["s390x"]),
    *string("IDX-10", X, "manifests/0/platform/os.version", "", "10.0.14393.1066"),
    *rows("IDX-11", X, "manifests/0/platform/os.features", [None, "x", {}], [[], ["x"]]),
    Row("IDX-11", X, "manifests/0/platform/os.features", ["a", 1], ["a", "a"], "/manifests/0/platform/os.features/1"),
    Row(
        "IDX-11",
        X,
        "manifests/0/platform",
        {"architecture": "amd64", "os": "windows", "os.features": ["win32k", "x"]},
        {"architecture": "amd64", "os": "windows", "os.features": ["win32k"]},
        "/manifests/0/platform/os.features/1",
    ),
    *string("IDX-12", X, "manifests/0/platform/variant", "v2"),
    *[
        Row(
            "IDX-12",
            X,
            "manifests/0/platform",
            {"architecture": architecture, "os": "linux", "variant": broken},
            {"architecture": architecture, "os": "linux", "variant": kept},
            "/manifests/0/platform/variant",
        )
        for architecture, broken, kept in [
            ("amd64", "3", "v3"),
            ("arm", "v4", "v6"),
            ("arm", "v9", "v8"),
            ("arm64", "v7", "v8"),
            ("arm64", "v8.", "v9.5"),
            ("ppc64le", "9", "power10"),
            ("riscv64", "rva", "rva23u64"),
        ]
    ],
    *rows("IDX-13", X, "manifests/0/platform/features", [None, "x", {}], [[], ["x"], MISSING]),
    *rows("IDX-15", X, "subject", [None, ".nope", [], 1], [ENTRY]),
    *rows("IDX-15", X, "annotations", [[], "a", 1], [{}]),
    *rows(
        "NDL-01",
        M,
        "layers/0/mediaType",
        [OCI_NONDISTRIBUTABLE_LAYER, OCI_NONDISTRIBUTABLE_LAYER + "+gzip"],
        [OCI_LAYER],
    ),
    *rows("NDL-01", DOCKER_MANIFEST, "layers/0/mediaType", [DOCKER_FOREIGN_LAYER_GZIP], [OCI_LAYER]),
    *[
        Row("ANN-01", media_type, way, {"a.b": broken}, {"a.b": ""}, f"/{way}/a.b")
        for media_type, way in [
            (D, "annotations"),
            (M, "annotations"),
            (M, "layers/0/annotations"),
            (C, "config/Labels"),
        ]
        for broken in [None, 1, True, [], {}]
    ],
    *[
        Row("ANN-02", D, "annotations", {key: "x"}, {"com.example/a-b.c_d": "x"}, pointer)
        for key, pointer in [
            ("maintainer", "/annotations/maintainer"),
            ("", "/annotations/"),
            ("a.b\n", "/annotations/a.b\n"),
            ("a b.c", "/annotations/a b.c"),
            ("/~", "/annotations/~1~0"),
        ]
    ],
    Row("ANN-02", C, "config/Labels", {"maintainer": "x"}, {"a.b": "x"}, "/config/Labels/maintainer"),
    *[
        Row("ANN-03", M, "annotations", {key: "x"}, {KEY + kept: "x"}, f"/annotations/{key}")
        for key, kept in [(KEY + "foo", "title"), ("org.opencontainers.x", "os.version"), (KEY + "a.b", "stopSignal")]
    ],
    *rows("ANN-04", D, "annotations", [None], [{}, MISSING]),
    Row("ANN-04", M, "annotations", None, {}),
    Row("ANN-04", X, "annotations", None, {}),
    Row("ANN-04", X, "manifests/0/annotations", None, {}),
    *[
        Row("ANN-06", M, "annotations", {KEY + key: broken}, {KEY + key: kept}, f"/annotations/{KEY}{key}")
        for key, broken, kept in [
            ("created", "yesterday", "2015-10-31T22:22:56Z"),
            ("url", "example.com", "https://example.com"),
            ("source", "git@github.com:a/b", "https://github.com/a/b"),
            ("documentation", "x", ""),
            ("documentation", "/x", "a:"),
            ("base.digest", "sha256:abc", SHA),
            *(
                ("licenses", broken, "MIT")
                for broken in [" ", "Apache 2.0", "A AND", "OR B", "(A", "A)", "()", "A_B", "A,B"]
            ),
            (
                "licenses",
                "(A OR (B AND C)))",
                "(A+ OR (B AND LicenseRef-x:DocumentRef-1)) AND GPL-2.0 WITH X-exception",
            ),
            ("licenses", "A (B)", "((A))"),
        ]
    ],
    Row("ANN-07", M, "annotations", {KEY + "ref.name": "a"}, {}, f"/annotations/{KEY}ref.name"),
    Row("ANN-07", X, "annotations", {KEY + "ref.name": "a"}, {}, f"/annotations/{KEY}ref.name"),
    *[
        Row(
            rule,
            X,
            "manifests/0/annotations",
            {KEY + "ref.name": broken},
            {KEY + "ref.name": kept},
            f"/manifests/0/annotations/{KEY}ref.name",
        )
        for rule, broken, kept in [
            ("ANN-07", "", "a"),
            ("ANN-07", "a b", "a--b"),
            ("ANN-07", "a\n", "docker.io/library/a:b@c"),
            ("ANN-08", "../../x", "x/x"),
            ("ANN-08", "a..b", "a.b"),
            ("ANN-08", "a/", "a/b+c_d"),
        ]
    ],
    *[
        Row(
            "ANN-09",
            M,
            "annotations",
            {KEY + "base.name": broken},
            {KEY + "base.name": kept},
            f"/annotations/{KEY}base.name",
        )
        for broken, kept in [
            ("alpine", "docker.io/library/alpine"),
            ("a b", "quay.io/a/b:c"),
            (" ", "localhost/a"),
            ("a/b", ""),
        ]
    ],
    *rows("CFG-04", C, "created", [7, True, [], *BAD_DATES], [None, MISSING, *GOOD_DATES]),
    *optional_string("CFG-05", C, "author", ""),
    *string("CFG-06", C, "architecture", "arm", "unknown"),
    *rows("CFG-06", C, "os", [MISSING, None, 7, "Linux", ""], ["windows"]),
    *rows("CFG-06", C, "architecture", [MISSING, "x86_64", ""], ["s390x"]),
    *optional_string("CFG-07", C, "os.version", ""),
    *optional_string("CFG-07", C, "variant", "v1"),
    *rows("CFG-07", C, "os.features", ["x", {}, 1], [None, [], ["a"]]),
    Row("CFG-07", C, "os.features", [None], ["a"], "/os.features/0"),
    Row("CFG-07", C, "variant", "8", "v3"),
    Row(
        "CFG-07",
        C,
        "",
        {"os": "windows", "os.features": ["win32k", "x"]},
        {"os": "windows", "os.features": ["win32k"]},
        "/os.features/1",
    ),
    *rows("CFG-08", C, "config", [[], "x", 1], [None, {}, MISSING]),
    *optional_string("CFG-09", C, "config/User", "", "0", "a:b", "1:2"),
    *rows("CFG-09", C, "config/User", ["a:b:c", ":a", "a:", ":"], ["a:1", "DOMAIN\\a"]),
    *rows("CFG-10", C, "config/ExposedPorts", [[], "80", 1], [None, {}, {"0": {}, "65535/udp": {}, "80/tcp": {}}]),
    *[
        Row("CFG-10", C, "config/ExposedPorts", {key: value}, {"80/tcp": {}}, f"/config/ExposedPorts/{pointer}")
        for key, value, pointer in [
            ("80", None, "80"),
            ("80", 1, "80"),
            ("80/tcp", {"a": 1}, "80~1tcp"),
            ("80/sctp", {}, "80~1sctp"),
            ("65536", {}, "65536"),
            ("x", {}, "x"),
            ("80-81", {}, "80-81"),
            ("80\n", {}, "80\n"),
            ("٨0", {}, "٨0"),
        ]
    ],
    *rows("CFG-11", C, "config/Env", ["A=B", {}, 1], [None, [], ["A=", "A=B", "A B=é\0", "A\nB=C\nD", "A=\n"]]),
    *rows(
        "CFG-11", C, "config/Env", [["A=", value] for value in ("foo", "=x", "", None, 1)], [["A=="]], "/config/Env/1"
    ),
    *rows("CFG-12", C, "config/Cmd", ["a", {}, 1], [None, [], ["", "a"]]),
    *rows("CFG-12", C, "config/Entrypoint", ["a", {}, 1], [None, [], ["", "a"]]),
    Row("CFG-12", C, "config/Entrypoint", ["a", None], ["a", "b"], "/config/Entrypoint/1"),
    *rows("CFG-13", C, "config/Volumes", [[], ["/a"], "x"], [None, {}, {"/a": {}, "": {}}]),
    *[
        Row("CFG-13", C, "config/Volumes", {"/a": value}, {"/a": {}}, "/config/Volumes/~1a")
        for value in (None, 1, {"b": 1})
    ],
    *optional_string("CFG-14", C, "config/WorkingDir", "", "a"),
    *optional_string("CFG-14", C, "config/StopSignal", "", "SIGKILL"),
    *rows("CFG-14", C, "config/StopSignal", ["15", "KILL", "sigkill", "SIG", "SIGTERM\n", "SIGRTMIN+"], ["SIGRTMIN+3"]),
    *rows("CFG-15", C, "config/Labels", [[], "x", 1], [None, {}]),
    *rows("CFG-16", C, "config/ArgsEscaped", ["true", 1, [], True], [None, False]),
    *[
        row
        for name in ("Memory", "MemorySwap", "CpuShares")
        for row in rows("CFG-17", C, f"config/{name}", ["x", 1.0, True, 1 << 63], [None, -1, (1 << 63) - 1])
    ],
    *rows("CFG-17", C, "config/Healthcheck", ["x", [], 1], [None, {}]),
    *rows("CFG-18", C, "rootfs", [MISSING, None, [], "x"], [{"type": "layers", "diff_ids": [], "x": 1}]),
    *rows("CFG-18", C, "rootfs/type", [MISSING, None, 1, "", "Layers", "layers+base", "layers\n"], ["layers"]),
    *rows("CFG-19", C, "rootfs/diff_ids", [MISSING, None, {}, "x"], [[], [SHA, SHA]]),
    *rows("CFG-19", C, "rootfs/diff_ids/0", [None, 1, [], {}], [SHA]),
    *rows("CFG-21", C, "history", [{}, "x", 1], [None, [], [{}]]),
    *rows(
        "CFG-21", C, "history", [[{}, None], [{}, 1]], [[{"empty_layer": True}, {"empty_layer": False}]], "/history/1"
    ),
    *[
        Row("CFG-21", C, "history", [{name: broken}], [{name: kept}], f"/history/0/{name}")
        for name, broken, kept in [
            ("author", 1, None),
            ("comment", [], ""),
            ("created_by", {}, "a"),
            ("empty_layer", "true", False),
            ("empty_layer", 1, None),
            ("created", 1, None),
            *(("created", text, "2015-10-31T22:22:56Z") for text in BAD_DATES),
        ]
    ],
    *rows("CFG-22", C, "history", [[{}, {}], [{"empty_layer": True}]], [[{}, {"empty_layer": True}], [], MISSING]),
    *rows("DCF-02", C, "config/OnBuild", ["x", {}], [None, [], ["RUN a"]]),
    *rows("DCF-02", C, "config/Shell", ["x", {}], [None, ["sh", "-c"]]),
    *optional_string("DCF-02", C, "config/Hostname", ""),
    *optional_string("DCF-02", C, "config/Domainname", ""),
    *rows("DCF-02", C, "config/StopTimeout", ["x", 1.0, True, 1 << 63], [None, -1]),
    *rows("DCF-03", C, "config/Healthcheck/Test", ["x", {}], [None, [], ["CMD-SHELL", "a"]]),
    *[
        Row("DCF-03", C, f"config/Healthcheck/{name}", broken, kept)
        for name in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
        for broken, kept in [("1s", 0), (1.5, None)]
    ],
    *rows("LAY-02", OCI_LAYOUT, "imageLayoutVersion", [MISSING, None, 1, "", "1.0", "1.0.1", "1.0.0\n"], ["1.0.0"]),
]

# An algorithm that is not sha256 is a note of its own (DIG-08), so these break two rules.
ALGORITHMS = [
    (rule, f"{name}:{text}", f"{name}:" + "a" * length)
    for rule, name, length in [("DIG-06", "sha512", 128), ("DIG-07", "blake3", 64), ("DIG-11", "sha384", 96)]
    for text in ("a" * (length - 1), "a" * (length + 1), "A" * length, "g" * length)
]
