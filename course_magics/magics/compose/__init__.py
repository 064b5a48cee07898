"""`%%compose` and `%compose`: after it, whatever one would type after `docker compose`."""

from __future__ import annotations

from course_magics.magics.compose import look, make
from course_magics.magics.compose.project import BEFORE
from course_magics.magics.grammar import Magic

MAGIC = Magic("compose", "docker compose", (*make.WORDS, *look.WORDS), BEFORE)
