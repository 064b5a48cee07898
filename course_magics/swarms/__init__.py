"""A swarm of several engines for a class: made, looked at and removed from a terminal."""
