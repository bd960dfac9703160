"""The options that select an image or a layout, and what they select; the same for every verb."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from oci_layers import system
from oci_layers.cli.registries import registry_arguments, session_of
from oci_layers.errors import NameFormatError, OCIError
from oci_layers.image.image import Image
from oci_layers.layer.overlay import Namespace
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.store.layout import Layout
from oci_layers.store.name import ImageName
from oci_layers.store.open import name_place, open_image, parse_image_name
from oci_layers.store.place import open_repository
from oci_layers.store.repository import Repository

if TYPE_CHECKING:
    from oci_layers.store.registry import RegistryRepository

__all__ = [
    "at_least_one",
    "choice_arguments",
    "image_arguments",
    "layout_argument",
    "limit_argument",
    "limits_of",
    "names_stdout",
    "namespace_of",
    "opened",
    "opened_layout",
    "opened_names",
    "opened_place",
    "opened_repository",
    "overlay_arguments",
    "place_arguments",
    "policy_arguments",
    "policy_of",
    "progress_argument",
    "require_layer",
]


def image_arguments(parser: argparse.ArgumentParser, *, policy: bool = False, places: bool = True) -> None:
    """Add IMAGE and what selects it; with `policy` also how layers are merged, with `places` limits and the like."""
    parser.add_argument(
        "image",
        metavar="IMAGE",
        help="oci:DIR[:REF|@DIGEST], oci-archive:FILE[:REF|@DIGEST], docker-archive:FILE[:NAME:TAG], or the path of "
        "one of these; FILE may be a pipe, - is standard input; docker://HOST/REPOSITORY[:TAG|@DIGEST]",
    )
    choice_arguments(parser, "which of several images (default: that for this machine)", places=places)
    if policy:
        progress_argument(parser)
        policy_arguments(parser)


def policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`, and how layers are merged: `--policy` and `--parents`."""
    parser.add_argument(
        "--threads",
        type=_threads,
        metavar="N",
        help="threads per layer, 1 to 4 (default: two for each CPU, at most 4)",
    )
    parser.add_argument(
        "--policy",
        choices=("default", "strict", "lenient"),
        default="default",
        help="how to treat layer entries that the spec leaves undefined or forbids; lenient also follows links to "
        "blobs",
    )
    parser.add_argument(
        "--parents",
        choices=("follow", "replace"),
        help="symbolic links in the parents of an entry: follow them inside the root, or replace them by directories, "
        "as overlayfs does",
    )


def overlay_arguments(parser: argparse.ArgumentParser, text: str) -> None:
    """Add `--overlay-upper`, with its help text, and `--userxattr`."""
    parser.add_argument("--overlay-upper", action="store_true", help=text)
    parser.add_argument(
        "--userxattr",
        action="store_true",
        help="with --overlay-upper: the mount has the option userxattr, as those of ordinary users have",
    )


def namespace_of(options: argparse.Namespace) -> Namespace | None:
    """Return where an upper directory has the attributes of the mount; None if no directory is taken as one."""
    if options.userxattr and not options.overlay_upper:
        options.refuse("--userxattr goes with --overlay-upper")
    if not options.overlay_upper:
        return None
    return "user" if options.userxattr else "trusted"


def policy_of(options: argparse.Namespace) -> Policy:
    """Return the policy of `policy_arguments`; the default without them."""
    policy = Policy.preset(getattr(options, "policy", "default"))
    if getattr(options, "parents", None):
        policy = attrs.evolve(policy, parents=options.parents)
    return policy


def progress_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--progress`."""
    parser.add_argument("--progress", choices=("auto", "plain", "none"), default="auto", help="on stderr")


def choice_arguments(parser: argparse.ArgumentParser, platform: str, *, places: bool = True) -> None:
    """Add `--ref`, `--platform`, with this help text, and, with `places`, what `place_arguments` adds."""
    parser.add_argument("--ref", help="the reference, where IMAGE does not give one")
    parser.add_argument("--platform", metavar="OS/ARCH[/VARIANT]", help=platform)
    if places:
        place_arguments(parser)


def place_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--limit`, `--temporary-directory`, and the options of connections to registries."""
    limit_argument(parser)
    parser.add_argument(
        "--temporary-directory",
        metavar="DIR",
        help="where temporary files go: archives that are compressed as a whole, and contents that are read in any "
        "order (default: TMPDIR)",
    )
    registry_arguments(parser)


def limit_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--limit`."""
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change a limit, such as document_bytes=10000000",
    )


def layout_argument(
    parser: argparse.ArgumentParser, text: str = "oci:DIR, or the path of a layout's directory"
) -> None:
    """Add LAYOUT, with its help text, and `--limit`."""
    parser.add_argument("layout", metavar="LAYOUT", help=text)
    limit_argument(parser)


def at_least_one(text: str) -> int:
    """Return a number of threads.

    Raises:
        argparse.ArgumentTypeError: It is no number from 1 to 999.
    """
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 999")
    return int(text)


def _threads(text: str) -> int:
    if text not in {"1", "2", "3", "4"}:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 4")
    return int(text)


def limits_of(options: argparse.Namespace) -> Limits:
    """Return the default limits with the changes of `--limit`.

    Raises:
        NameFormatError: A limit is unknown, or its value is not a number.
    """
    names = [field.name for field in attrs.fields(Limits)]
    changes: dict[str, int] = {}
    for text in options.limit:
        name, _, number = text.partition("=")
        if name not in names:
            raise NameFormatError("limit", text, f"there are {', '.join(names)}")
        if not (number.isascii() and number.isdigit() and len(number) < 20):
            raise NameFormatError("limit", text, "expected NAME=NUMBER")
        changes[name] = int(number)
    return attrs.evolve(Limits(), **changes)


def require_layer(number: int, count: int) -> None:
    """Check that an image of `count` layers has the layer of a number.

    Raises:
        NameFormatError: It has not; the error says which there are.
    """
    if not 0 <= number < count:
        known = f"the layers are 0 to {count - 1}" if count > 1 else "the only layer is 0" if count else "there is none"
        raise NameFormatError("layer", str(number), known)


def names_stdout(target: str) -> bool:
    """Tell whether the archive goes to stdout, so that the report cannot."""
    name = ImageName.parse(target)
    return name.transport != "oci" and name.place in {"-", "/dev/stdout"}


@contextlib.contextmanager
def opened(options: argparse.Namespace, *, held: int | None = None) -> Iterator[tuple[Image, Policy]]:
    """Yield the image that the options select, and the policy; close the image when the block ends.

    `held` lowers the limit `content_bytes`.
    """
    limits = limits_of(options)
    if held is not None:
        limits = attrs.evolve(limits, content_bytes=min(held, limits.content_bytes))
    policy = policy_of(options)
    with open_image(
        options.image,
        ref=options.ref,
        platform=options.platform,
        limits=limits,
        temporary_directory=options.temporary_directory,
        threads=getattr(options, "threads", None),
        blob_links=getattr(options, "policy", "default") == "lenient",
        session=session_of(options, options.image),
    ) as image:
        yield image, policy


@contextlib.contextmanager
def opened_layout(
    name: str, limits: Limits, *, ref: str | None = None, whole: bool = False, check: bool = True
) -> Iterator[tuple[Layout, str | None]]:
    """Yield the layout of a name and the reference in the name; close the layout when the block ends.

    Args:
        name: `oci:DIR[:REF]` or the path of a directory.
        limits: The limits on documents.
        ref: The reference, if the name has none.
        whole: Refuse a reference.
        check: Refuse a directory that is not a layout.

    Raises:
        NameFormatError: The name is not that of a layout, or has a reference that is refused.
    """
    where, ref = parse_image_name(name, ref)
    if where.transport not in {"", "oci"}:
        raise NameFormatError("layout", name, "it is an archive; copy it to a directory first")
    if system.exists(where.place) and not system.is_existing_directory(where.place):
        raise NameFormatError("layout", name, "it is a file; copy an archive to a directory first")
    if whole and ref is not None:
        raise NameFormatError("layout", name, "expected the whole layout, without a reference")
    with (Layout.open if check else Layout)(where.place, limits=limits) as layout:
        try:
            yield layout, ref
        except OCIError as error:
            name_place(error, where.place)
            raise


@contextlib.contextmanager
def opened_place(name: str, options: argparse.Namespace) -> Iterator[tuple[Repository, str | None]]:
    """Yield the place of a name, of any kind, and the reference in the name; close the place when the block ends."""
    repository, ref = open_repository(
        name,
        limits=limits_of(options),
        temporary_directory=getattr(options, "temporary_directory", None),
        blob_links=getattr(options, "policy", "default") == "lenient",
        session=session_of(options, name),
    )
    try:
        yield repository, ref
    except OCIError as error:
        name_place(error, repository.place)
        raise
    finally:
        repository.close()


@contextlib.contextmanager
def opened_names(name: str, options: argparse.Namespace) -> Iterator[tuple["Layout | RegistryRepository", str | None]]:
    """Yield the layout or the repository of a registry in which names are given and taken; close it afterwards.

    The reference comes from the name, or from the options.
    """
    where, ref = parse_image_name(name, options.ref)
    if where.transport == "docker":
        with opened_repository(name, options) as (repository, _):
            yield repository, ref
    else:
        with opened_layout(name, limits_of(options), ref=options.ref) as opened:
            yield opened


@contextlib.contextmanager
def opened_repository(name: str, options: argparse.Namespace) -> Iterator[tuple["RegistryRepository", str | None]]:
    """Yield the repository of a registry that a name gives, and the reference in the name; close it afterwards.

    Raises:
        NameFormatError: The name is not one in a registry.
    """
    from oci_layers.store.registry import RegistryRepository

    if ImageName.parse(name).transport != "docker":
        raise NameFormatError("image name", name, "expected docker://HOST/REPOSITORY")
    with opened_place(name, options) as (repository, ref):
        assert isinstance(repository, RegistryRepository)
        yield repository, ref
