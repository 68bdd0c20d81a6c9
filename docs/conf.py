"""The documentation site: `make docs`, or `python docs/build.py`."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "extensions")]

import kpnviz  # noqa: E402

settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
repository = settings["urls"]["Repository"]

project = "kpnviz"
author = "the kpnviz authors"
copyright = author
version = release = kpnviz.__version__

extensions = [
    "sphinx.ext.autodoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_argparse_cli",
    "docstrings",
    "mathml",
    "pages",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
nitpicky = True
# Other packages' objects, and type variables: no link leads there. Objects of kpnviz are found, or it is a warning.
nitpick_ignore_regex = [
    ("py:(class|obj|data|exc)", r"(?!kpnviz\.).*|kpnviz\.color\.Array|kpnviz\.evaluation\.baselines\.Of")
]

default_role = "code"
smartquotes = False  # quotes here are mostly Python's
highlight_language = "none"
pygments_style, pygments_dark_style = "tango", "monokai"
copybutton_exclude = ".linenos, .gp, .go"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
nb_execution_mode = "off"  # build.py runs the notebooks, each once
nb_merge_streams = True

html_theme = "furo"
html_title = "kpnviz"
html_static_path = ["_static"]
html_css_files = ["kpnviz.css"]
html_js_files = ["theme.js"]
html_favicon = "../kpnviz/ui/icon.png"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": repository,
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": [],
    "light_css_variables": {"color-brand-primary": "#0b6bcb", "color-brand-content": "#0b6bcb"},
    "dark_css_variables": {"color-brand-primary": "#6cb2ff", "color-brand-content": "#6cb2ff"},
}
