"""Are there a stage and three healthy singers in the compose project choir?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect


def check(state: State) -> Iterator[Finding]:
    found = state.containers(label="com.docker.compose.project=choir")
    project = [c for c in found if c.labels.get("com.docker.compose.oneoff") != "True"]
    yield expect(
        project,
        "there is a compose project choir",
        "there is no compose project choir",
        hint="begin",
    )
    if not project:
        return
    running = {
        service: [
            c for c in project if c.running and c.labels["com.docker.compose.service"] == service
        ]
        for service in ("stage", "singer")
    }
    stages, singers = len(running["stage"]), len(running["singer"])
    yield expect(
        stages == 1,
        "one container of the service stage runs",
        f"of the service stage run {stages or 'no'} containers, and it should be one",
        hint="stage",
    )
    yield expect(
        singers == 3,
        "three containers of the service singer run",
        f"of the service singer run {singers or 'no'} containers, and it should be three",
        hint="three",
    )
    if not singers:
        return
    checked = all(c.health for c in running["singer"])
    yield expect(
        checked,
        "each singer has a health check",
        "a singer has no health check",
        hint="check",
    )
    if checked:
        yield expect(
            all(c.health == "healthy" for c in running["singer"]),
            "each singer is healthy",
            "not every singer is healthy",
            hint="healthy",
        )
