"""Make HTML pages from templates."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_audio.errors import one_line

if TYPE_CHECKING:
    from jinja2 import Template


def load_template(path: Path, **filters: Any) -> "Template":
    """Load a template whose values are escaped, and shown on one printable line each.

    So the name of a file can hold no markup, and no letter that turns the text around. The template
    may use the filters by their names.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only pages need it

    environment = Environment(
        loader=FileSystemLoader(path.parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        finalize=lambda value: one_line(value) if isinstance(value, str) else value,
    )  # fmt: skip
    environment.filters |= filters
    return environment.get_template(path.name)
