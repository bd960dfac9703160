"""Show the layers of an image as one directory: what a presenter needs of a room, and a farm where none can.

A mount takes 500 directories at most. Of a stack that has more, the lowest are merged into one directory of hard links
to their files, which is made once and kept in the room; it can be removed at any time.
"""

import contextlib
import os
from collections.abc import Callable, Sequence

import attrs

from oci_layers import system
from oci_layers.disk.owner import Owner
from oci_layers.errors import PresenterError
from oci_layers.snapshot.directory import FS, MERGED, WORK, RoomDirectory, layer_names
from oci_layers.snapshot.farm import grow
from oci_layers.snapshot.layers import RoomLayer, RoomLayers
from oci_layers.snapshot.mapped import namespace_of
from oci_layers.snapshot.overlay import MOST_LOWERS, NAMESPACE, Stack
from oci_layers.snapshot.presenter import PRESENTERS, Presented, PresenterName, present, reason_of
from oci_layers.snapshot.share import Share

__all__ = ["FARM", "Showing"]

FARM: PresenterName = "farm"
_KERNEL: frozenset[str] = frozenset({"detached", "namespace", "mounted"})
_MAPPING: frozenset[str] = frozenset({"detached", "mounted"})
"""Presenters that can map owners."""
_FORMS: tuple[frozenset[str], ...] = (_KERNEL, frozenset({"fuse"}), frozenset({FARM}))
"""Presenters that write in one form."""


@attrs.frozen
class Showing:
    """Shows stacks of layers of a room."""

    room: RoomDirectory
    """The room, for what is made for the purpose."""
    layers: RoomLayers
    """Its layers."""
    owner: Owner
    """The owners of files that are made."""
    share: Share
    """How the files of a farm are shared."""

    def show(
        self,
        stack: Sequence[RoomLayer],
        directory: Callable[[], int],
        *,
        read_only: bool,
        at: str | os.PathLike[str] | None,
        owner: Owner,
        volatile: bool = False,
        presenters: Sequence[PresenterName] | None = None,
    ) -> Presented:
        """Show layers as one directory.

        Args:
            stack: The layers, the topmost first.
            directory: Returns an open directory, called when one is needed: with an upper directory and a work
                directory, if what is shown can be written; or an empty one for a farm.
            read_only: Whether it is only to be read.
            at: Where to mount it; None to mount it at no path.
            owner: The owners that are shown for those of the layers.
            volatile: Whether what is written need not survive a power cut.
            presenters: What may show it, in this order; everything by default.

        Raises:
            PresenterError: Nothing can.
        """
        chosen = (*PRESENTERS, FARM) if presenters is None else presenters
        if owner.has_maps:
            chosen = _that_map(chosen)
        mounting = [each for each in chosen if each != FARM]
        try:
            with contextlib.ExitStack() as closing, self.room.root.located():
                lowers = tuple(self._lowers(stack, closing))
                if owner.has_maps:
                    lowers = _mapped(lowers, owner, closing)
                if read_only:
                    shown = Stack(lowers, namespace=NAMESPACE)
                else:
                    upper, work = (self.room.root.open_own(name, directory()) for name in (FS, WORK))
                    closing.callback(system.close, upper)
                    closing.callback(system.close, work)
                    shown = Stack(lowers, upper=upper, work=work, namespace=NAMESPACE, volatile=volatile)
                return present(shown, at=at, presenters=mounting)
        except PresenterError as error:
            if FARM not in chosen or at is not None:
                raise
            fd = self._farm(stack, directory(), make=read_only)
            return Presented(fd, FARM, refused=error.refused)

    def show_again(
        self,
        stack: Sequence[RoomLayer],
        directory: int,
        before: str,
        *,
        at: str | os.PathLike[str] | None,
        owner: Owner,
        presenters: Sequence[PresenterName] | None,
    ) -> Presented:
        """Show a container; raises as `show`.

        The kernel, fuse-overlayfs and a farm each write in a form that the others do not read.

        Args:
            stack: The layers, the topmost first.
            directory: The directory of the container.
            before: What showed it before; empty if nothing did.
            at: As for `show`.
            owner: As for `show`.
            presenters: As for `show`.
        """
        chosen = (*PRESENTERS, FARM) if presenters is None else presenters
        form = next((each for each in _FORMS if before in each), frozenset(chosen))
        allowed = [each for each in chosen if each in form]
        if before == FARM and FARM in allowed and at is None:
            return Presented(self.room.root.open_own(FS, directory), FARM)
        return self.show(stack, lambda: directory, read_only=False, at=at, owner=owner, presenters=allowed)

    def _farm(self, stack: Sequence[RoomLayer], directory: int, *, make: bool) -> int:
        """Make all files of an image in the upper directory of a container, or in a new directory."""
        if make:
            with self.room.root.located():
                system.make_directory(FS, directory)
        root = self.room.root.open_own(FS, directory)
        try:
            tree = self.layers.tree(stack[0].chain_id if stack else None)
            # What is written to a hard link is written to the layer.
            share = "none" if self.share == "link" and not make else self.share
            grow(tree, stack, root, share=share, owner=self.owner)
        except BaseException:
            system.close(root)
            raise
        return root

    def _lowers(self, stack: Sequence[RoomLayer], closing: contextlib.ExitStack) -> list[int]:
        """Return handles on the directories of layers, or of as many as a mount takes, the topmost first."""
        most = len(stack) if len(stack) <= MOST_LOWERS else MOST_LOWERS - 1
        found = []
        for layer in stack[:most]:
            found.append(layer.open())
            closing.callback(system.close, found[-1])
        if stack[most:]:
            found.append(self._merged(stack[most:]))
            closing.callback(system.close, found[-1])
        return found

    def _merged(self, stack: Sequence[RoomLayer]) -> int:
        """Return a handle on a directory that has all files of some layers, made if it does not exist."""
        names = MERGED, *layer_names(stack[0].chain_id)[1:]
        with contextlib.suppress(FileNotFoundError), self.room.directory(*names) as fd:
            return self.room.root.open_own(FS, fd)
        with self.room.staging() as staging:
            system.make_directory(FS, staging.fd)
            root = system.open_directory(FS, staging.fd)
            try:
                tree = self.layers.tree(stack[0].chain_id)
                grow(tree, stack, root, share="link", owner=self.owner, overlay=True)
                self.room.sync_all(root)
            except BaseException:
                system.close(root)
                raise
            self.room.publish(staging, *names)
            return root


def _that_map(chosen: Sequence[PresenterName]) -> list[PresenterName]:
    """Return the presenters that can map owners.

    Raises:
        PresenterError: There are none.
    """
    found = [each for each in chosen if each in _MAPPING]
    if not found:
        raise PresenterError(tuple((each, "it cannot map owners") for each in chosen))
    return found


def _mapped(lowers: Sequence[int], owner: Owner, closing: contextlib.ExitStack) -> tuple[int, ...]:
    """Return handles on mounts of directories in which owners are mapped.

    Raises:
        PresenterError: The system refuses.
    """
    try:
        namespace = namespace_of(owner)
        closing.callback(system.close, namespace)
        found = []
        for fd in lowers:
            found.append(system.idmapped(fd, namespace))
            closing.callback(system.close, found[-1])
    except OSError as error:
        raise PresenterError((("mapped owners", reason_of(error)),)) from error
    return tuple(found)
