"""Configuration of Sphinx: `make docs` builds the pages, without a network."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.pycode import ModuleAnalyzer

import sklearn_music.metrics
from sklearn_music.metrics._clustering import CLUSTERING_SCORES

project = "sklearn_music"
copyright = "The sklearn_music developers"
version = release = sklearn_music.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
# A name in single backticks is an object of the library where there is one of that name.
default_role = "py:obj"

# The pages of the reference follow each module's __all__.
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # numpydoc's types are for people
numpydoc_show_class_members = False
# Properties that are inherited from scikit-learn refer to its glossary.
suppress_warnings = ["ref.term"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    # Files without the prefix are programs with arguments of their own.
    "ignore_pattern": r"^(?!plot_)",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": "sklearn_music",
    "backreferences_dir": "gallery/backreferences",
    "reference_url": {"sklearn_music": None},
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_music"
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": {"generated/*": ["page-toc"]},
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"


def setup(app):
    """Connect what Sphinx is to call."""
    app.connect("autodoc-skip-member", _skip_foreign)
    app.connect("autodoc-process-docstring", _take_comment)
    # Browsers show MathML by themselves, where MathJax would come from a network.
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_formula, None))


def _skip_foreign(app, what, name, obj, skip, options):
    """Leave out what scikit-learn and Python give to every class."""
    is_own = (getattr(obj, "__module__", None) or "").startswith("sklearn_music")
    return True if what in ("class", "exception") and not is_own else None


def _take_comment(app, what, name, obj, options, lines):
    """Document a constant by the comment above it, which Sphinx finds in its own module only."""
    if obj is sklearn_music.metrics.CLUSTERING_SCORERS:
        comments = ModuleAnalyzer.for_module("sklearn_music.metrics._clustering").find_attr_docs()
        names = [f"``{name}`` (`{s.function.__name__}`)" for name, s in CLUSTERING_SCORES.items()]
        lines[:] = [*comments["", "CLUSTERING_SCORERS"], f"The scores: {', '.join(names)}.", ""]


def _inline_formula(translator, node):
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _formula(translator, node):
    translator.body.append(f"<p>{convert(node.astext(), display='block')}</p>\n")
    raise nodes.SkipNode
