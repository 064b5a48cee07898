"""Where another engine than Docker 20.10 does something else, and the tests that show it.

A test named here must fail on that engine, with these words in its report: one that passes has
outlived its entry, and fails the run. `docs/reference/engines.md` is made of this table:
python -m tests.engine.differences > docs/reference/engines.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from course_magics.engine import Engine

from .further import ELSEWHERE

#: The engines that the tests run against: what the table calls each.
ENGINES = {
    "docker": "Docker 20.10 (Debian 12), the first",
    "newer": "Docker 26.1 (Debian 13)",
    "podman": "Podman 4.3 (Debian 12) behind Docker's API",
    "embedded": "the embedded engine: Docker 26.1 in a small machine",
}


@dataclass(frozen=True)
class Difference:
    """engine: a key of ENGINES. tests: a pattern (fnmatch) of their names. words: in the report."""

    engine: str
    what: str
    tests: str
    words: str


_NAMES = "images keep their whole names: localhost/… without a registry, docker.io/library/…"
_UPDATE = "the limits of a container that is there cannot be changed: no docker update"
_SWARM = "there is no Swarm: no nodes, services, secrets and configs"
_BUILDKIT = "there is no BuildKit: images are built by Podman's own builder (Buildah)"
_MOUNTS = "the layer of a RUN holds the places of the build's own mounts, too (/run, /etc/hosts)"
_PRUNE = "unused images that have a name cannot be pruned in one request: %container rmi NAME"
_EVENTS = "events tell more: containerExitCode, podId, the whole name of the image"
_DF = "the size of a container counts a few bytes of Podman's own"
_POOLS = "a network keeps neither the range of addresses nor the addresses set aside"

DIFFERENCES: tuple[Difference, ...] = (
    *(
        Difference("podman", *of)
        for of in (
            (_NAMES, "test_words.py::test_images_tag_history_rmi", "docker.io/library/"),
            (
                _NAMES,
                "test_examples.py::test_an_example[container images --format*",
                "localhost/course/",
            ),
            (_NAMES, "test_container_changes.py::test_save_and_load", "docker.io/library/"),
            (_NAMES, "test_kernel_tab.py::test_names_of_the_real_engine", "localhost/"),
            (_EVENTS, "test_system.py::test_events_are_told_without_times_and_ids", "podId="),
            (_EVENTS, "test_system.py::test_an_interrupt_says_how_many", "podId="),
            (_UPDATE, "test_examples.py::test_an_example[container update*", "no such request"),
            (_UPDATE, "test_container_changes.py::test_update_is_docker_s", "no such request"),
            (_SWARM, "test_data.py::*[config ls]", "no such request"),
            (_SWARM, "test_data.py::*[node ls]", "no such request"),
            (_SWARM, "test_data.py::*[service ls]", "no such request"),
            (_SWARM, "test_data.py::*[stack ls]", "Not Found"),
            (_BUILDKIT, "test_dockerfile.py::*[buildkit*", "Podman has no BuildKit"),
            (
                _BUILDKIT,
                "test_container_changes.py::test_flags_that_only_buildkit_has",
                "needs BuildKit",
            ),
            (_MOUNTS, "test_dockerfile.py::test_a_build_and_its_result[classic]", "size == 2"),
            (_MOUNTS, "test_layers.py::test_what_each_layer_does", "(9, 0, 0)"),
            (_POOLS, "test_networks.py::test_a_network_with_all*", "AuxiliaryAddresses"),
            (_PRUNE, "test_container_changes.py::test_image_prune", '"dangling" filter'),
            (_PRUNE, "test_networks.py::test_system_prune_takes*", '"dangling" filter'),
            (_DF, "test_system.py::test_df_has_each_thing", "5.01kB"),
            (
                "dropped capabilities are told one by one",
                "test_run.py::test_detached_with_many_flags",
                "AUDIT_WRITE",
            ),
            (
                "a registry on 127.0.0.1 needs a certificate too, or Podman's own consent",
                "test_classroom_registry.py::test_push_and_pull",
                "server gave HTTP response to HTTPS client",
            ),
            (
                "there is no --link",
                "test_container_changes.py::test_removing_a_link",
                "link is not supported",
            ),
            (
                "the first network is called podman, not bridge",
                "test_container_changes.py::test_mac_address",
                "KeyError: 'bridge'",
            ),
            (
                "the size of a volume in memory (-o type=tmpfs -o o=size=…) is taken for a quota",
                "test_networks.py::test_a_volume_with_options*",
                "volume options size and inodes not supported",
            ),
            (
                "the docker command cannot give it a range of ports to choose from",
                "test_create_like_docker.py::*[-p 8000-8010:80]",
                "returned non-zero exit status 1",
            ),
            (
                "the docker command cannot give it devices: it says no operating system",
                "test_create_like_docker.py::*[--device *",
                "returned non-zero exit status 1",
            ),
        )
    ),
)


def kind(found: Engine) -> str:
    """Which of ENGINES this is."""
    if found.is_podman:
        return "podman"
    return "docker" if int(found.version.partition(".")[0]) < 23 else "newer"


def difference(engine: str, test: str) -> Difference | None:
    """The entry for a test ("test_words.py::test_x[y]") on an engine, or None."""
    plain = test.replace("[", "<").replace("]", ">")
    for one in DIFFERENCES:
        pattern = one.tests.replace("[", "<").replace("]", ">")
        if one.engine == engine and fnmatchcase(plain, pattern):
            return one
    return None


def page() -> Iterator[str]:
    """docs/reference/engines.md, line by line."""
    yield "# What differs between engines"
    yield ""
    yield "<!-- made: python -m tests.engine.differences > docs/reference/engines.md -->"
    yield ""
    yield "The tests of `tests/engine` run against three engines: `.ci/engines newer podman` runs them"
    yield "against the two further ones. Where an engine does something else than Docker 20.10, the test"
    yield "named here fails on it, with the words given; one that does not fail any more ends the run."
    yield ""
    yield "Each engine says what it is: `%engine`."
    yield ""
    yield "Not run against the further engines, for they show the same there:"
    yield ""
    yield from (f"- `{test}`: {reason}" for test, reason in ELSEWHERE.items())
    for key, title in ENGINES.items():
        yield ""
        yield f"## {title[0].upper()}{title[1:]}"
        yield ""
        own = [d for d in DIFFERENCES if d.engine == key]
        if key == "docker":
            yield "The one that the others are compared with."
        elif key == "embedded":
            yield "The tests of `tests/embedded` show it: `-v` sees only the folders that it shares, and a"
            yield "published port is passed on to this computer ([embedded.md](../embedded.md))."
        elif not own:
            yield "None are known."
        else:
            yield "| what differs | test | decisive words |"
            yield "|---|---|---|"
            for one in own:
                cells = (one.what, f"`{one.tests}`", f"`{one.words}`")
                yield f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |"


if __name__ == "__main__":
    print("\n".join(page()))
