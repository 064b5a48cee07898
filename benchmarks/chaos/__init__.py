"""A campaign of faults: real engines, machines and kernels, and what must hold after each fault."""
