"""The magics beside the plain commands, in one run, as ratios: `make bench`."""
