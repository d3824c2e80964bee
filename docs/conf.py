"""The documentation site: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``."""

import re

from sphinx_gallery.sorting import ExplicitOrder

import fastreg

project = "fastreg"
author = "The fastreg developers"
copyright = f"2026, {author}"
version = release = fastreg.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "api/generated/backreferences"]
templates_path = ["_templates"]
highlight_language = "none"  # formulas; code says its language
default_role = "py:obj"

html_theme = "furo"
html_title = f"fastreg {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False

myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": True, "member-order": "bysource"}
autodoc_typehints = "none"
numpydoc_show_class_members = False  # autodoc lists them
numpydoc_show_inherited_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": ExplicitOrder(
        [
            "plot_constraint_regions.py",
            "plot_coefficient_paths.py",
            "plot_decision_boundaries.py",
            "plot_choose_alpha.py",
            "plot_certificates.py",
            "plot_stability.py",
            "*",
        ]
    ),
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("fastreg",),
    "abort_on_example_error": True,
    "capture_repr": (),
    "min_reported_time": 60,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "write_computation_times": False,
}


def skip_what_scikit_learn_documents(app, what, name, obj, skip, options):
    """Methods that estimators inherit from scikit-learn are described there."""
    home = getattr(obj, "__module__", None) or "fastreg"
    return True if not home.startswith("fastreg") else None


def without_private_arguments(app, what, name, obj, options, signature, returns):
    return re.sub(r", _\w+=[^,)]*", "", signature or "") or None, returns


def setup(app):
    app.connect("autodoc-skip-member", skip_what_scikit_learn_documents)
    app.connect("autodoc-process-signature", without_private_arguments)
