"""Swarm's nouns: the swarm itself, its nodes, services, secrets and configs."""
