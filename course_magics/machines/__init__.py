"""Vagrant's nouns over the real `vagrant` command. Nothing here knows IPython."""
