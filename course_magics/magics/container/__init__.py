"""`%container`: after it, whatever one would type after `docker`. One module for each noun."""

from __future__ import annotations

from course_magics.magics.container import (
    context,
    life,
    look,
    networks,
    quality,
    registries,
    system,
    volumes,
)
from course_magics.magics.grammar import Magic

MAGIC = Magic(
    "container",
    "docker",
    (
        *life.WORDS,
        *look.WORDS,
        *registries.WORDS,
        *networks.WORDS,
        *volumes.WORDS,
        *system.WORDS,
        *quality.WORDS,
        *context.WORDS,
    ),
)
