"""What a student may be doing at the moment of a fault."""

from __future__ import annotations

RUN = "%container run --rm course/busybox sh -c 'for i in $(seq 30); do echo $i; sleep 0.1; done'"
#: World → cells. NAME is replaced by a new name each time.
CELLS: dict[str, tuple[str, ...]] = {
    "engine": (
        RUN,
        "%container run --rm course/python python -c 'print(sum(range(10**7)))'",
        "%%dockerfile -t chaos/built\nFROM course/busybox\nRUN echo NAME > /a\nRUN sleep 2",
        "%container run -d --name NAME course/busybox sh -c "
        "'for i in $(seq 100); do date; sleep 0.2; done'\n"
        "%container logs -f NAME",
        "%container run -d --name NAME course/busybox sleep 300\n%container exec NAME sleep 3",
        "%container save -o saved.tar course/debian\n%container load -i saved.tar",
        "%container run --rm -v scratch:/s course/busybox dd if=/dev/zero of=/s/x bs=1M count=20",
        "%%compose -p NAME\nservices:\n  a:\n    image: course/busybox\n    command: sleep 300",
        "%container run --name NAME course/busybox true\n%container cp NAME:/bin/busybox copied",
        "%container ps -a\n%container images\n%container volume ls",
        "%container stats --no-stream\n%container system df",
        "%container layers course/debian",
    ),
    "machine": (
        "%vagrant status --dir machine",
        "%vagrant ssh --dir machine -c 'for i in $(seq 30); do echo $i; sleep 0.1; done'",
        "%%vagrant ssh --dir machine\nfor i in $(seq 20); do echo $i; sleep 0.1; done",
        "%vagrant reload --dir machine",
        "%vagrant halt --dir machine\n%vagrant up --dir machine",
        "%vagrant snapshot save --dir machine NAME\n%vagrant snapshot list --dir machine",
        "%vagrant suspend --dir machine\n%vagrant resume --dir machine",
    ),
}
#: The cell that must work afterwards.
NEXT = {
    "engine": "%container run --rm course/busybox echo alive",
    "machine": "%vagrant up --dir machine\n%vagrant ssh --dir machine -c 'echo alive'",
}
