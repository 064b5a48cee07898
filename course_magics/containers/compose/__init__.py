"""Compose: many containers from one file, through the real compose command."""
