"""The notebook runs from top to bottom."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from conftest import ROOT


@pytest.mark.slow
def test_the_notebook_judges_trains_and_plots(monkeypatch):
    notebook = nbformat.read(ROOT / "docs/first_steps.ipynb", as_version=4)
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in codes)  # none is stored
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    resources = {"metadata": {"path": str(Path(ROOT, "docs"))}}
    NotebookClient(notebook, timeout=None, kernel_name="python3", resources=resources).execute()
    kinds = [
        "image/png" if "data" in output and "image/png" in output.data else output.get("text", "")
        for cell in codes
        for output in cell.outputs
    ]
    assert kinds[0].startswith("FAKE 9")
    assert kinds.count("image/png") == 2
    assert "was best on validation" in kinds[2]
