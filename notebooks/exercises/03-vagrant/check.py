"""Does `web` run with its page and a snapshot, beside a `db` that was never started?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

FOLDER = "machines/pair"


def check(state: State) -> Iterator[Finding]:
    web, db = state.machine(FOLDER, "web"), state.machine(FOLDER, "db")
    yield expect(
        web is not None and db is not None,
        "the Vagrantfile describes web and db",
        f"no Vagrantfile in {FOLDER} describes both web and db",
        hint="describe",
    )
    if web is None or db is None:
        return
    yield expect(web.running, "web runs", f"web is {web.state.replace('_', ' ')}", hint="start")
    yield expect(
        db.state == "not_created",
        "db has not been started",
        "db was started, too: it takes memory",
        hint="only",
    )
    if not web.running:
        return
    page = web.ssh("cat /srv/page 2>/dev/null").stdout.strip()
    yield expect(
        page == "ready",
        "its /srv/page says: ready",
        "its /srv/page does not say: ready",
        hint="page",
    )
    yield expect(
        "good" in web.snapshots,
        "it has a snapshot good",
        "it has no snapshot good",
        hint="snapshot",
    )
