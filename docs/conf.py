"""The site: notebooks, pages and API. Built by `make docs`, which lays all its sources together."""

from importlib.metadata import version as version_of

project = "course_magics"
author = "the course's authors"
copyright = author
version = release = version_of("course-magics")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
exclude_patterns = ["notebooks/exercises", "notebooks/quizzes", "notebooks/machines", "templates"]
templates_path = ["templates"]

# The notebooks hold their outputs; nothing runs here.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
myst_heading_anchors = 3
myst_enable_extensions = ["html_image"]

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
# Docstrings quote code with single backticks, as this does not: they become code by this role.
default_role = "code"

html_theme = "furo"
html_title = "Virtualization & Docker"
html_copy_source = False
html_show_sphinx = False
html_baseurl = ""

# A notebook is a page of its own: its parts begin at the second level.
# ref.python: two modules have a class of the same short name, and either is meant where it stands.
suppress_warnings = ["myst.header", "ref.python"]
