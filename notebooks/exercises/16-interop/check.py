"""Does Vagrant's docker provider run a container `mine16` with STAGE=test?"""

from collections.abc import Iterator

from course_magics.lessons import Finding, State, expect

FOLDER = "machines/16-mine"


def check(state: State) -> Iterator[Finding]:
    found = state.file(f"{FOLDER}/Vagrantfile")
    yield expect(
        found is not None,
        f"{FOLDER} has a Vagrantfile",
        f"there is no Vagrantfile in {FOLDER}",
        hint="file",
    )
    if found is None:
        return
    mine = state.container("mine16")
    yield expect(
        mine is not None,
        "there is a container mine16",
        "no container is called mine16",
        hint="up",
    )
    if mine is None:
        return
    yield expect(mine.running, "it runs", f"it does not run: it is {mine.state}", hint="running")
    stage = mine.env.get("STAGE")
    yield expect(
        stage == "test",
        "its STAGE is test",
        f"its STAGE is {stage}" if stage else "it has no variable STAGE",
        hint="stage",
    )
    # `default`, or whatever name the Vagrantfile defines.
    known = state.machine(FOLDER) or state.machine(FOLDER, "mine16")
    yield expect(
        known is not None and known.running,
        "Vagrant says that it runs",
        "Vagrant does not know it as a running machine",
        hint="up",
    )
