"""What the layers of an image hold: %container layers and %container compare."""

from course_magics.containers.layers.compare import Comparison, compare
from course_magics.containers.layers.layers import Limits, layers
from course_magics.containers.layers.result import Layer, Layers

__all__ = ["Comparison", "Layer", "Layers", "Limits", "compare", "layers"]
