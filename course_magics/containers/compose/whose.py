"""Whose a project is. On an engine that several people use, each has a project of the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_magics import engine, labels
from course_magics.containers import ours
from course_magics.containers.compose.project import Project

if TYPE_CHECKING:
    from docker import APIClient


def own(project: Project, line: str) -> Project:
    """The project, under a name of this user's where another user has one of its name.

    A name that somebody gave stays: then it raises EngineError. Raises EngineError.
    """
    other = f"{project.name}-{labels.short_user()}"
    with engine.talking(line) as api:
        users = _users(api)
    theirs = users.get(project.name, set()) - {labels.user()}
    if not project.chosen and (theirs or labels.user() in users.get(other, ())):
        return project.called(other)
    for whose in theirs:
        ours.refuse_others("project", project.name, {labels.USER: whose}, "-p ")
    return project


def _users(api: APIClient) -> dict[str, set[str]]:
    """Whose labels the things of each project carry."""
    wanted = [{"label": [labels.COMPOSE, labels.USER]}]
    found: dict[str, set[str]] = {}
    for thing in (
        *ours.containers(api, wanted),
        *ours.networks(api, wanted),
        *ours.volumes(api, wanted),
    ):
        given = thing.get("Labels") or {}
        found.setdefault(given[labels.COMPOSE], set()).add(given[labels.USER])
    return found
