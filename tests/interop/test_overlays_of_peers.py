"""A room shows the merged tree of every image; overlay mounts of buildah do not, in ways of a few kinds.

buildah, with the storage driver `overlay`, makes an upper directory of the entries of each layer, whatever is below,
and mounts them. umoci 0.4.7, which Debian has, makes no upper directories; what it unpacks into one directory is beside
them. `tests/data/overlays_of_peers.txt` has what is known of each case; `peer_overlays` has the kinds.
"""

import tempfile

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from oci_layers import OCIError, Snapshots, open_image
from oci_layers.testing.cases import write_cases
from tests.support.examples import examples, some
from tests.support.layers import image, tar
from tests.support.peer_overlays import KINDS, Storage, accepted_cases, kinds, known, line_of, row_of
from tests.support.stacks import portable_stacks

pytestmark = [pytest.mark.root, pytest.mark.peer("buildah"), pytest.mark.peer("umoci"), pytest.mark.peer("mount")]


def chosen():
    """Return the cases that are run: few for a developer, a third for CI, all for `deep`."""
    return some(accepted_cases(), every=24, ci=3)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("written") / "cases"
    write_cases(directory)
    return directory


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    with Storage(tmp_path_factory.mktemp("storage")) as made:
        yield made


@pytest.mark.thorough
def test_a_program_differs_in_what_is_known_of_it_and_a_room_does_not(written, storage, tmp_path):
    table = known()
    with Snapshots(tmp_path / "room", sync=False) as room:
        for case in chosen():
            layout = written / case.id / "layout"
            assert line_of(case, row_of(case, layout, storage)) == table.get(case.id, "")
            with open_image(f"oci:{layout}:case") as opened:
                assert own_kinds(room, opened, case.disk) <= {"device"}, case.id


def own_kinds(room, opened, on_disk=None):
    """Return the kinds of what a room shows of an image, beside all of it, or what a directory can hold of it."""
    with room.view(room.unpack(opened)) as view:
        found = kinds(opened.tree(), view.fd)
        return kinds(on_disk, view.fd) if found and on_disk else found


@settings(
    max_examples=examples(dev=3, ci=15),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(stack=portable_stacks())
def test_every_difference_of_a_random_image_has_a_kind(stack, storage):
    with tempfile.TemporaryDirectory() as directory:
        layout = image(f"{directory}/image", *(tar(*layer) for layer in stack))
        with open_image(f"oci:{layout}:t") as opened, Snapshots(f"{directory}/room", sync=False) as room:
            try:
                opened.tree()
            except OCIError:
                return
            assert own_kinds(room, opened) == set()
            with storage.shown(layout, "t") as shown:
                assert kinds(opened.tree(), shown) <= KINDS.keys()


def test_the_table_is_about_cases_and_kinds_that_exist():
    ids = {case.id for case in accepted_cases()}
    for name, line in known().items():
        assert name in ids
        for word in line.split()[1:]:
            program, _, found = word.partition("=")
            assert program in {"buildah", "umoci"}
            assert set(found.split(",")) <= KINDS.keys()
