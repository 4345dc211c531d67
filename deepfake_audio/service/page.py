"""The page: one HTML file with its strings, and a policy that allows only its own script."""

import base64
import hashlib
import json
import re
from html import escape
from importlib.resources import files

from deepfake_audio.reporting.wording import STRINGS

HERE = files("deepfake_audio.service")
POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src data: blob:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def load_page() -> tuple[str, str]:
    """Return the page with its strings, and its Content-Security-Policy.

    The policy allows script and styles by their hashes.
    """
    encoded = json.dumps(STRINGS).replace("<", "\\u003c")  # no text can end the script element
    html = (HERE / "page.html").read_text(encoding="utf-8")
    for name in ("title", "no_script"):
        html = html.replace(f"@{name.upper()}@", escape(STRINGS[name]))
    html = html.replace("@STRINGS@", encoded)
    policy = POLICY.format(script=_hashes(html, "script"), style=_hashes(html, "style"))
    return html, policy


def _hashes(html: str, tag: str) -> str:
    """Return the CSP sources of inline elements without attributes."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = [hashlib.sha256(content.encode()).digest() for content in contents]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
