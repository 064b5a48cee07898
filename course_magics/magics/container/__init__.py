"""`%container`: after it, whatever one would type after `docker`. One module for each noun."""

from __future__ import annotations

from course_magics.magics.container import (
    archives,
    build,
    change,
    context,
    life,
    look,
    networks,
    nodes,
    prune,
    quality,
    registries,
    services,
    stack,
    swarm,
    swarm_files,
    system,
    volumes,
    watch,
)
from course_magics.magics.grammar import Magic

MAGIC = Magic(
    "container",
    "docker",
    (
        *life.WORDS,
        *look.WORDS,
        *build.WORDS,
        *change.WORDS,
        *watch.WORDS,
        *archives.WORDS,
        *prune.WORDS,
        *registries.WORDS,
        *networks.WORDS,
        *volumes.WORDS,
        *system.WORDS,
        *quality.WORDS,
        *context.WORDS,
        *swarm.WORDS,
        *nodes.WORDS,
        *services.WORDS,
        *swarm_files.WORDS,
        *stack.WORDS,
    ),
)
