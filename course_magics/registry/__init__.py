"""The class's own registry: a real one on 127.0.0.1, started, filled and stopped from a terminal.

`server` starts and stops Debian's `docker-registry` program, or Docker Hub's `registry:2` image
where the program is missing; `contents` asks it what it has; `seed` pushes the course's images.
"""
