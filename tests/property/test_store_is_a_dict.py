"""Law: a layout that two clients and garbage collection work on is a dict of names and a set of blobs with ages."""

import contextlib
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oci_layers import Limits
from oci_layers.errors import BlobMissingError, ReferenceMissingError
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import is_document
from oci_layers.store.fsck import fsck
from oci_layers.store.gc import gc
from oci_layers.store.graph import children, read_node
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from tests.support.stores import HOUR, age, config, digests, index_of, layout, manifest, signature

SOURCE = MemoryRepository()


def _pool():
    """Images that share layers, indexes that share images, and signatures: everything that is ever stored."""
    blobs = SOURCE.blobs
    own = [config(blobs, author=str(number)) for number in range(2)]
    layers = [(0,), (0, 1), (1, 2), (2, 3)]
    images = [
        manifest(blobs, *(b"layer %d" % each for each in below), config=own[at % 2]) for at, below in enumerate(layers)
    ]
    index = index_of(blobs, images[0], images[1])
    signed = signature(blobs, images[2])
    return [*images, index, index_of(blobs, index, images[3]), signed, signature(blobs, signed, b"about")]


POOL = _pool()


def _below():
    """What each document refers to; a subject is one of these."""
    found = {}
    todo = list(POOL)
    while todo:
        each = todo.pop()
        if is_document(each.media_type) and each.digest not in found:
            node = read_node(SOURCE.blobs, each, Limits())
            found[each.digest] = [child for _, child in children(node)]
            if node.value.subject is not None:
                found[each.digest].append(node.value.subject)
            todo += found[each.digest]
    return found


BELOW = _below()
SUBJECTS = {
    digest: subject.digest
    for digest in BELOW
    for each in POOL
    if each.digest == digest and (subject := read_node(SOURCE.blobs, each, Limits()).value.subject) is not None
}
names = st.sampled_from(["a", "b", "c"])
entries = st.sampled_from(POOL)
clients = st.integers(0, 1)


def closure(roots):
    """All that digests lead to, themselves among it."""
    found, todo = set(), list(roots)
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += (child.digest for child in BELOW.get(each, ()))
    return found


class Store(RuleBasedStateMachine):
    """`young` has what was stored or reused lately, with when; `old` the other blobs, `names` what each name leads to.

    `leases` has when each client's lease began, by the same count, or None.
    """

    def __init__(self):
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.young, self.old, self.names = {}, set(), {}
        self.leases, self.held = [None, None], [None, None]
        self.now = 0

    @initialize()
    def create(self):
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()), "layout")
        layout(self.directory).close()
        self.clients = [Layout.open(self.directory, fsync="never") for _ in range(2)]
        self.stack.callback(lambda: [client.close() for client in self.clients])

    @property
    def there(self):
        return self.young.keys() | self.old

    # Writers.

    def used(self, digest):
        self.young[digest] = self.now
        self.old.discard(digest)

    @rule(client=clients, entry=entries)
    def put(self, client, entry):
        """Store an image, children first; what is there is reused."""
        place = self.clients[client]
        for each in reversed(list(self.ordered(entry))):
            there = each.digest in self.there
            assert place.blobs.reuse_blob(each) is there
            if not there:
                place.blobs.put_blob(SOURCE.blobs.open_blob(each.digest), each)
            self.used(each.digest)

    @staticmethod
    def ordered(entry):
        """Yield what an entry leads to, parents first; a child may come again."""
        todo = [entry]
        while todo:
            each = todo.pop(0)
            yield each
            todo += BELOW.get(each.digest, ())

    @rule(client=clients, name=names, entry=entries)
    def push(self, client, name, entry):
        self.put(client, entry)
        self.tag(client, name, entry)

    @rule(client=clients, name=names, signed=st.sampled_from(POOL[-2:]))
    def push_what_is_signed(self, client, name, signed):
        """Store an image and its signature, which only the image leads to."""
        self.put(client, signed)
        (subject,) = [each for each in POOL if each.digest == SUBJECTS[signed.digest]]
        self.tag(client, name, subject)

    @rule(client=clients, entry=entries)
    def reuse(self, client, entry):
        there = entry.digest in self.there
        assert self.clients[client].blobs.reuse_blob(entry) is there
        if there:
            self.used(entry.digest)

    @rule(client=clients, name=names, entry=entries)
    def tag(self, client, name, entry):
        if entry.digest in self.there:
            self.clients[client].tag(name, entry)
            self.names[name] = entry.digest
        else:
            with pytest.raises(BlobMissingError):
                self.clients[client].tag(name, entry)

    @rule(client=clients, name=names)
    def untag(self, client, name):
        if self.names.pop(name, None) is None:
            with pytest.raises(ReferenceMissingError):
                self.clients[client].untag(name)
        else:
            self.clients[client].untag(name)

    @rule(client=clients, old=names, new=names)
    def move(self, client, old, new):
        if old in self.names:
            self.clients[client].move(old, new)
            self.names[new] = self.names.pop(old)
        else:
            with pytest.raises(ReferenceMissingError):
                self.clients[client].move(old, new)

    @rule(client=clients)
    def reopen(self, client):
        if self.leases[client] is None:
            self.clients[client].close()
            self.clients[client] = Layout.open(self.directory, fsync="never")

    # Time, and leases.

    @precondition(lambda self: self.leases == [None, None])
    @rule()
    def wait(self):
        """Two hours pass."""
        age(self.directory)
        self.old |= self.young.keys()
        self.young.clear()

    @rule(client=clients)
    def begin(self, client):
        if self.leases[client] is None:
            if self.leases == [None, None]:
                self.wait()
            time.sleep(0.01)  # For the clock of the file system to tick.
            self.now += 1
            self.leases[client] = self.now
            self.held[client] = self.clients[client].lease()
            self.held[client].__enter__()

    @rule(client=clients)
    def end(self, client):
        if self.leases[client] is not None:
            self.held[client].__exit__(None, None, None)
            self.leases[client] = None

    # Garbage collection.

    def kept(self, young):
        found = closure({*self.names.values(), *young})
        while more := {
            digest
            for digest, subject in SUBJECTS.items()
            if subject in found and digest in self.there and digest not in found
        }:
            found |= closure(more)
        return found

    def collect(self, client, grace, young):
        kept = self.kept(young)
        deleted = {Digest(each) for each, _ in gc(self.clients[client], grace=grace).deleted}
        assert deleted == self.there - kept
        self.young = {each: when for each, when in self.young.items() if each in kept}
        self.old &= kept
        assert [each for each in fsck(self.clients[client], threads=1).findings if each.severity != "note"] == []

    @rule(client=clients)
    def gc_within_an_hour(self, client):
        self.collect(client, HOUR, self.young)

    @rule(client=clients)
    def gc_at_once(self, client):
        """Only the oldest lease keeps what is young."""
        if self.leases == [None, None]:
            self.wait()
        since = min((each for each in self.leases if each is not None), default=self.now)
        self.collect(client, 0, {each for each, when in self.young.items() if when >= since})

    @rule(client=clients)
    def gc_dry_run(self, client):
        deleted = {Digest(each) for each, _ in gc(self.clients[client], grace=HOUR, dry_run=True).deleted}
        assert deleted == self.there - self.kept(self.young)

    # What always holds.

    @invariant()
    def names_are_those_that_were_given(self):
        if hasattr(self, "clients"):
            key = "org.opencontainers.image.ref.name"
            for client in self.clients:
                assert {each.annotations[key]: each.digest for each in client.entries()} == self.names

    @invariant()
    def blobs_are_those_that_were_stored_and_whatever_exists_is_whole(self):
        if hasattr(self, "clients"):
            there = digests(self.clients[0].own_blobs)
            assert there == self.there
            assert closure(there) == there

    def teardown(self):
        for client in range(2):
            self.end(client)
        self.stack.close()


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=max(10, settings.default.max_examples // 5), stateful_step_count=30)
