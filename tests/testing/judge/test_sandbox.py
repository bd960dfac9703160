"""Whatever a run does outside its destination is seen; what it does inside, and in its scratch directory, is not."""

import os

import pytest

from oci_layers.testing.judge.sandbox import entries_of, redirected, sandbox
from oci_layers.testing.stack import Stack
from tests.support.layers import f, sym, tar

PLAIN = Stack.parse("file file text=hello")

DEEDS = {
    "a name beside": lambda work, box: (work / "new").touch(),
    "a name above": lambda work, box: (work.parent / "new").touch(),
    "a name at the top": lambda work, box: (box / "new").mkdir(),
    "other bytes": lambda work, box: (work / "canary").write_bytes(b"something may change this"),
    "other bytes of the old time": lambda work, box: keep_time(work / "canary"),
    "a mode": lambda work, box: (work.parent / "canary").chmod(0o600),
    "a time": lambda work, box: os.utime(work / "dest-canary", (1, 1)),
    "an attribute": lambda work, box: os.setxattr(work / "canary", "user.x", b"1"),
    "a removal": lambda work, box: (box / "outside/canary").unlink(),
    "a removed directory": lambda work, box: (work / "empty").rmdir(),
    "a type": lambda work, box: retype(work / "canary"),
    "the layout": lambda work, box: (box / "image/index.json").write_text("{}"),
    "a layer": lambda work, box: (box / "layers/0.tar").write_bytes(b""),
    "a link to what is outside": lambda work, box: link_out(work),
    "a link to what is inside": lambda work, box: link_in(work),
}
ALLOWED = {
    "nothing": lambda work, box: None,
    "the destination": lambda work, box: (work / "dest").mkdir(),
    "a file as the destination": lambda work, box: (work / "dest").write_text("x"),
    "links inside": lambda work, box: links_inside(work),
    "reading": lambda work, box: (work / "canary").read_bytes(),
    "a link as the destination": lambda work, box: (work / "dest").symlink_to(box.parent),
    "a name that comes and goes": lambda work, box: come_and_go(work),
}


def keep_time(file):
    found = file.stat()
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def retype(file):
    file.unlink()
    file.mkdir()


def link_out(work):
    (work / "dest").mkdir()
    os.link(work / "canary", work / "dest/mine")


def link_in(work):
    (work / "dest").mkdir()
    (work / "dest/mine").write_text("x")
    os.link(work / "dest/mine", work / "yours")


def links_inside(work):
    (work / "dest").mkdir()
    (work / "dest/a").write_text("x")
    os.link(work / "dest/a", work / "dest/b")
    (work / "dest/c").symlink_to("/etc/passwd")


def come_and_go(work):
    (work / ".dest.tmp").mkdir()
    (work / ".dest.tmp").rename(work / "dest")


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_what_is_done_outside_the_destination_is_an_escape(deed):
    with sandbox(PLAIN, timeout=1) as box:
        deed(box.job.dest.parent, box.box)
        assert box.escapes()


@pytest.mark.parametrize("deed", ALLOWED.values(), ids=ALLOWED)
def test_what_is_done_inside_is_none(deed):
    with sandbox(PLAIN, timeout=1) as box:
        deed(box.job.dest.parent, box.box)
        (box.job.scratch / "new").touch()
        assert box.escapes() == []


def test_a_sandbox_is_gone_afterwards(tmp_path):
    with sandbox(PLAIN, timeout=1, directory=tmp_path) as box:
        box.job.dest.mkdir()
        (box.job.dest / "deep").mkdir(0)
        assert [path.read_bytes() for path in box.job.tars] == PLAIN.tars()
        assert not set("_.") & set(box.box.name[:3])
    assert list(tmp_path.iterdir()) == []


HOSTILE = {
    "absolute link": "l symlink target=/etc\nl/passwd file text=x",
    "climbing link": "d/l symlink target=../../victim\nd/l/x file",
    "absolute hard link": "h link /etc/passwd",
    "climbing hard link": "h link ../victim",
}


def naive(job):
    """Unpack as a careless program does: names are joined to the destination, whatever they are."""
    job.dest.mkdir()
    for file in job.tars:
        for layer in entries_of([file.read_bytes()]):
            for entry in layer:
                place = os.path.join(os.fsencode(job.dest), entry.name)
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if entry.type == b"2":
                    os.symlink(entry.linkname, place)
                elif entry.type == b"1":
                    os.link(os.path.join(os.fsencode(job.dest), entry.linkname), place)
                else:
                    with open(place, "wb") as made:
                        made.write(entry.read())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_layers_find_what_they_lead_to_and_are_seen(text):
    with sandbox(Stack.parse(text), timeout=1, hostile=True) as box:
        naive(box.job)
        assert box.escapes()


@pytest.mark.parametrize("name", [b"../x", b"../../x", b"a/../../x"])
def test_hostile_names_are_seen(name):
    with sandbox([tar(f(name, "x"))], timeout=1, hostile=True) as box:
        naive(box.job)
        assert box.escapes()


def test_names_that_climb_out_of_the_box_are_looked_up_on_the_host(tmp_path):
    climbing = b"../" * 40 + os.fsencode(tmp_path)[1:] + b"/victim"
    with sandbox([tar(f(climbing, "x"), f("c" * 300), sym("c", "/" + "c" * 300))], timeout=1, hostile=True) as box:
        assert box.escapes() == []
        (tmp_path / "victim").touch()
        assert box.escapes() == [f"+ {tmp_path}/victim changed"]


def test_absolute_names_lead_into_a_directory_of_the_box(tmp_path):
    stack = redirected(Stack.parse("/n file\nl symlink target=/t\nh link /f\nr symlink target=../r"), tmp_path)
    prefix = os.fsencode(tmp_path)
    assert [entry.name for entry in stack.layers[0]] == [prefix + b"/n", b"l", b"h", b"r"]
    assert [entry.linkname for entry in stack.layers[0]] == [b"", prefix + b"/t", prefix + b"/f", b"../r"]


def test_entries_before_a_fault_are_those_of_an_archive():
    (found,) = entries_of([tar(f("a", "x"))[:-1024] + b"\xff" * 512])
    assert [(entry.name, entry.read()) for entry in found] == [(b"a", b"x")]
