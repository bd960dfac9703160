"""Files that say where images are read: what is found, in which order, and what is malformed."""

import os

import pytest

from oci_layers.errors import DocumentError, LimitError, NameFormatError, UnsupportedError, format_error
from oci_layers.registry import registries_conf
from oci_layers.registry.registries_conf import Place, RegistriesConf

TWICE = "{location = 'b', pull-from-mirror = 'all'}"


def conf(tmp_path, text):
    file = tmp_path / "registries.conf"
    file.write_text(text)
    return RegistriesConf.read({}, str(file))


def places(tmp_path, text, name="example.com/foo/image"):
    domain, _, path = name.partition("/")
    entry = conf(tmp_path, text).find(name)
    return None if entry is None else entry.places(domain, path)


def where(tmp_path, text, name="example.com/foo/image"):
    found = places(tmp_path, text, name)
    return None if found is None else [f"{each.domain}/{each.path}" for each in found]


@pytest.mark.parametrize(
    ("entry", "name", "place"),
    [
        (
            'prefix = "example.com/foo"\nlocation = "internal:5000/bar"',
            "example.com/foo/image",
            "internal:5000/bar/image",
        ),
        ('prefix = "example.com/foo"\nlocation = "internal:5000/bar"', "example.com/foo", "internal:5000/bar"),
        ('prefix = "example.com/foo"\nlocation = "internal:5000/bar"', "example.com/foobar", None),
        ('prefix = "example.com/foo"\nlocation = "internal:5000/bar"', "example.com:5000/foo", None),
        ('prefix = "example.com"\nlocation = "internal"', "example.com/foo/image", "internal/foo/image"),
        ('prefix = "example.com/foo/"\nlocation = "internal/"', "example.com/foo/image", "internal/image"),
        ('location = "example.com"', "example.com/foo", "example.com/foo"),
        ('prefix = "example.com"', "example.com/foo", "example.com/foo"),
        ('prefix = "docker.io"\nlocation = "mirror/hub"', "docker.io/library/a", "mirror/hub/library/a"),
        ('prefix = "*.example.com"', "a.b.example.com/foo", "a.b.example.com/foo"),
        ('prefix = "*.example.com"', "example.com/foo", None),
        ('prefix = "*.example.com"', "other.com/a.example.com/foo", None),
        ('prefix = "*.example.com"', "a.example.community/foo", None),
        ('prefix = "*.example.com"\nlocation = "internal/x"', "a.example.com/foo", "internal/x/foo"),
        ('prefix = "*.example.com/foo"\nlocation = "internal/x"', "a.example.com/foo/b", "internal/x/b"),
        ('prefix = "localhost"\nlocation = "internal"', "localhost:5000/a", "internal:5000/a"),
    ],
)
def test_a_name_is_rewritten_below_its_prefix(tmp_path, entry, name, place):
    assert where(tmp_path, f"[[registry]]\n{entry}", name) == (None if place is None else [place])


def test_the_longest_prefix_counts(tmp_path):
    text = "".join(
        f'[[registry]]\nprefix = "{prefix}"\nlocation = "internal{number}"\n'
        for number, prefix in enumerate(["example.com/foo", "example.com", "*.com", "example.com/foo/image/x"])
    )
    assert where(tmp_path, text, "example.com/foo/i") == ["internal0/i"]
    assert where(tmp_path, text, "example.com/fo") == ["internal1/fo"]
    assert where(tmp_path, text, "b.com/fo") == ["internal2/fo"]
    assert where(tmp_path, text, "example.org/fo") is None


def test_mirrors_come_first(tmp_path):
    text = """
        unqualified-search-registries = ["example.org"]
        short-name-mode = "enforcing"
        [[registry]]
        prefix = "example.com/foo"
        location = "internal/bar"
        insecure = true
        [[registry.mirror]]
        location = "one:5000"
        insecure = true
        [[registry.mirror]]
        location = "two/x"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "three/x"
        pull-from-mirror = "tag-only"
        [[registry.mirror]]
        location = "four/x"
        pull-from-mirror = "all"
        [aliases]
        alpine = "example.org/alpine"
    """
    assert places(tmp_path, text) == [
        Place("one:5000", "image", insecure=True),
        Place("two", "x/image", insecure=False, by_tag=False),
        Place("three", "x/image", insecure=False, by_digest=False),
        Place("four", "x/image", insecure=False),
        Place("internal", "bar/image", insecure=True),
    ]


def test_mirrors_may_be_for_digests_alone(tmp_path):
    text = '[[registry]]\nlocation = "example.com"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "one"'
    assert [(each.domain, each.by_tag, each.by_digest) for each in places(tmp_path, text)] == [
        ("one", False, True),
        ("example.com", True, True),
    ]


def test_a_location_that_gives_no_repository_is_an_error(tmp_path):
    for location in ("internal", "internal/UPPER", "in ternal/x"):
        entry = f'[[registry]]\nprefix = "example.com/foo/image"\nlocation = "{location}"'
        with pytest.raises(NameFormatError):
            places(tmp_path, entry)


@pytest.mark.parametrize("prefix", ["example.com/foo/image:1", "example.com/foo/image@sha256:" + "0" * 64])
def test_a_prefix_for_one_image_is_refused_where_it_would_count(tmp_path, prefix):
    found = conf(tmp_path, f'[[registry]]\nprefix = "{prefix}"\nlocation = "x/y"\nblocked = true')
    with pytest.raises(UnsupportedError, match="prefix with a tag or a digest"):
        found.find("example.com/foo/image")
    assert found.find("example.com/foo") is None
    assert found.find("example.com/foo/other") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[registry", "/: is not TOML: "),
        ("\x00", "/: is not TOML: "),
        ("registry = 5", "/registry: must be an array of tables"),
        ("registry = [5]", "/registry: must be an array of tables"),
        ("[[registry]]", "/registry/0/location: is required without a prefix"),
        ("[[registry]]\nlocation = 5", "/registry/0/location: must be a string, not an integer"),
        ('[[registry]]\nlocation = "https://a"', "/registry/0/location: is a URL; expected HOST[:PORT][/PATH]"),
        ('[[registry]]\nlocation = "a"\ninsecure = "yes"', "/registry/0/insecure: must be a boolean, not a string"),
        ('[[registry]]\nlocation = "a"\nblocked = 1', "/registry/0/blocked: must be a boolean, not an integer"),
        ('[[registry]]\nlocation = "a"\nmirror = 1', "/registry/0/mirror: must be an array of tables"),
        ('[[registry]]\nlocation = "a"\n[[registry.mirror]]', "/registry/0/mirror/0/location: is required"),
        (
            '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "x"',
            "/registry/0/mirror/0/pull-from-mirror: must be one of all, digest-only, tag-only",
        ),
        (
            f"registry = [{{location = 'a', mirror-by-digest-only = true, mirror = [{TWICE}]}}]",
            "/registry/0/mirror/0/pull-from-mirror: contradicts mirror-by-digest-only",
        ),
        ("[registries.search]\nregistries = []", "/registries: is of the first version of the format"),
    ],
)
def test_a_malformed_file_is_an_error_that_says_where(tmp_path, text, message):
    with pytest.raises(DocumentError) as raised:
        conf(tmp_path, text)
    assert format_error(raised.value).startswith(f"{tmp_path}/registries.conf: {message}")


def test_a_file_is_named_by_the_caller_or_by_a_variable(tmp_path):
    file = tmp_path / "mine.conf"
    for environ, path in (({}, str(file)), ({"CONTAINERS_REGISTRIES_CONF": str(file)}, None)):
        with pytest.raises(FileNotFoundError) as raised:
            RegistriesConf.read(environ, path)
        assert raised.value.filename == str(file)
    file.write_text('[[registry]]\nlocation = "a"')
    for environ, path in (
        ({"CONTAINERS_REGISTRIES_CONF": "none"}, str(file)),
        ({"CONTAINERS_REGISTRIES_CONF": str(file)}, None),
    ):
        assert list(RegistriesConf.read(environ, path).entries) == ["a"]
    file.write_bytes(b"#" * (5 << 20))
    with pytest.raises(LimitError):
        RegistriesConf.read({}, str(file))


def test_files_of_the_user_count_before_those_of_the_system(tmp_path, monkeypatch):
    system, user = tmp_path / "system", tmp_path / "home/.config/containers"
    monkeypatch.setattr(registries_conf, "_SYSTEM", str(system))
    environ = {"HOME": str(tmp_path / "home")}
    assert RegistriesConf.read(environ).entries == {}
    for directory, name in ((system, "system"), (user, "user")):
        (directory / "registries.conf.d").mkdir(parents=True)
        for file in ("registries.conf", "registries.conf.d/1.conf", "registries.conf.d/2.conf", "registries.conf.d/x"):
            key = file.removeprefix("registries.conf").removeprefix(".d/").removesuffix(".conf")
            entries = {key or "main": name, "all": name + key}
            tables = [f'{{prefix = "{prefix}", location = "{location}"}}' for prefix, location in entries.items()]
            (directory / file).write_text(f"registry = [{', '.join(tables)}]")

    def read(environ):
        return {prefix: each.location for prefix, each in RegistriesConf.read(environ).entries.items()}

    assert read(environ) == {"main": "user", "all": "user2", "1": "user", "2": "user"}
    assert read({}) == {"main": "system", "all": "system2", "1": "system", "2": "system"}
    (user / "registries.conf").unlink()
    assert read(environ) == {"main": "system", "all": "user2", "1": "user", "2": "user"}
    if os.geteuid():
        (system / "registries.conf").chmod(0)
        with pytest.raises(PermissionError):
            read({})
