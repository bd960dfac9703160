"""stub"""

import attrs


@attrs.frozen
class Conversion:
    format: str | None = None
    compression: str | None = None
