"""Read tables in JSON: lines of objects, a list, or a mapping from files to values."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from deepfake_audio.corpora.tables import filled_lines
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.evaluation.column_names import is_header, plain_column

MAX_JSON_BYTES = 200_000_000  # of one document; JSON lines have no limit
TABLE = "A table"  # in errors


def sample_json(path: Path, rows: int) -> tuple[list[str], list[list[str]]]:
    """Return the plain names of the columns of the first rows, and the cells of these.

    Raises:
        InputError: no JSON, or one without objects.
    """
    names: dict[str, None] = {}
    first = [row for _, row in itertools.islice(_json_objects(path), rows)]
    for row in first:
        names |= dict.fromkeys(map(plain_column, row))
    columns = list(names)
    return columns, [_cells(row, columns) for row in first]


def json_rows(path: Path, columns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the position of each object, and its cells; raise as `sample_json` does."""
    for origin, row in _json_objects(path):
        yield origin, _cells(row, columns)


def _cells(row: dict, columns: list[str]) -> list[str]:
    cells = {plain_column(name): value for name, value in row.items()}
    return [_json_cell(cells.get(name)) for name in columns]


def _json_cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _json_objects(path: Path) -> Iterator[tuple[str, dict]]:
    """Yield the objects of JSON lines, of a JSON list, or of a mapping from files to values."""
    try:
        lines = filled_lines(path, TABLE)
        _, first = next(lines)
        try:
            is_lines = isinstance(json.loads(first), dict) and next(lines, None) is not None
        except json.JSONDecodeError:
            is_lines = False
        if is_lines or not path.stat().st_size > MAX_JSON_BYTES:
            content = (
                None
                if is_lines
                else json.loads("".join(line for _, line in filled_lines(path, TABLE)))
            )
        else:
            raise InputError(
                f"{path} has more than {MAX_JSON_BYTES:,} bytes in one JSON document; "
                "write one object a line"
            )
        if is_lines:
            found = (
                (f"line {n} of {path}", json.loads(line)) for n, line in filled_lines(path, TABLE)
            )
        else:
            found = _document_rows(content, path)
        for origin, row in found:
            if not isinstance(row, dict):
                raise InputError(f"{one_line(str(row))[:60]!r} is not a JSON object ({origin})")
            yield origin, row
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(
            f"cannot read {path} as JSON: {one_line(str(error))}; write one object a line"
        ) from None


def _document_rows(content: object, path: Path) -> Iterator[tuple[str, object]]:
    if isinstance(content, dict) and not is_header(list(map(str, content))):
        values = list(content.values())
        scored = all(isinstance(value, int | float | list) for value in values)
        name = "score" if scored and values else "label"
        content = [
            {"file": file, **(value if isinstance(value, dict) else {name: value})}
            for file, value in content.items()
        ]
    elif isinstance(content, dict):
        content = [content]
    for number, row in enumerate(content, start=1):
        yield f"object {number} of {path}", row
