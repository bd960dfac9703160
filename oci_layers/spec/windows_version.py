"""Whether an image for Windows runs on a host, by their versions (image-index.md, `platform.os.version`).

A version is `MAJOR.MINOR.BUILD.REVISION`. A process in a container calls the kernel of the host, so the image must be
of a build that the host knows. Hosts before build 20348 (Server 2022) take only their own build, and those before 17763
(Server 2019) only their own revision; later ones take every build from 20348 to their own, as containerd decides. A
virtual machine (Hyper-V isolation) takes older images, too; that is not decided here. Numbers are compared, so revision
1006 is after 999.

    >>> from oci_layers.spec.windows_version import runs_on
    >>> runs_on("10.0.20348.2113", "10.0.26100.1742"), runs_on("10.0.17763.5329", "10.0.26100.1742")
    (True, False)
"""

import re

__all__ = ["runs_on", "version_numbers"]

_is_version = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){2,3}").fullmatch
_FIRST_STABLE = 20348
"""The first build whose images run on later ones: Server 2022."""
_FIRST_WITHOUT_REVISION = 17763
"""The first build whose images run on any revision of it: Server 2019."""


def version_numbers(version: str) -> tuple[int, ...] | None:
    """Return the three or four numbers of a version; None if it is no version of Windows."""
    return tuple(map(int, version.split("."))) if _is_version(version) else None


def runs_on(image: str | None, host: str) -> bool:
    """Return whether an image of a version runs on a host, in a process of it.

    Args:
        image: The version that the image requires; None or empty if it does not say.
        host: The version of the host; a revision may be left out in both.
    """
    if not image:
        return True
    offered, wanted = version_numbers(image), version_numbers(host)
    if offered is None or wanted is None:
        return image == host
    if offered[:2] != wanted[:2]:
        return False
    if wanted[2] >= _FIRST_STABLE:
        return _FIRST_STABLE <= offered[2] <= wanted[2]
    revisions = {offered[3:], wanted[3:]} - {()}
    return offered[2] == wanted[2] and (wanted[2] >= _FIRST_WITHOUT_REVISION or len(revisions) < 2)
