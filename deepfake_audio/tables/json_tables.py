"""Read tables in JSON: lines of objects, a list, or a mapping from files to values."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from deepfake_audio.errors import InputError, one_line
from deepfake_audio.tables.cell_values import is_number
from deepfake_audio.tables.class_names import label_of
from deepfake_audio.tables.column_names import (
    FILES,
    LABELS,
    SCORES,
    class_of,
    is_header,
    plain_column,
    plain_columns,
)
from deepfake_audio.tables.lines import filled_lines
from deepfake_audio.vocabulary import without_suffix

MAX_DIGITS = 400  # a number in double precision has up to 309
MAX_JSON_BYTES = 200_000_000  # of one document; JSON lines have no limit
HOLDERS = {*SCORES, "predictions", "results", "files", "data"}  # of a mapping from files


def sample_json(path: Path, rows: int) -> tuple[list[str], list[list[str]]]:
    """Return the plain names of the columns of the first rows, and the cells of these.

    Raises:
        InputError: no JSON, or one without objects.
    """
    first = [row for _, row in itertools.islice(_json_objects(path), rows)]
    columns = list(dict.fromkeys(name for row in first for name in row))
    if not columns:
        raise InputError(f"{path} has no rows; add an object for each file")
    return columns, [[row.get(name, "") for name in columns] for row in first]


def json_rows(path: Path, columns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the position of each object, and its cells; raise as `sample_json` does."""
    for origin, row in _json_objects(path):
        yield origin, [row.get(name, "") for name in columns]


def _json_cells(row: dict) -> dict[str, str]:
    """Return the values of an object as text, by the plain names of their columns.

    `{"scores": {"real": 1}}` has the column `scoresreal`.
    """
    cells = [
        (f"{name}{part}", each)
        for name, value in row.items()
        for part, each in (value.items() if isinstance(value, dict) else [("", value)])
        if not _is_labelled(value)
    ]
    cells += [cell for value in row.values() if _is_labelled(value) for cell in _labelled(value)]
    names = plain_columns([name for name, _ in cells])
    return {name: _json_cell(value) for name, (_, value) in zip(names, cells, strict=True)}


def _is_labelled(value: object) -> bool:
    """Return whether a value is a list such as `[{"label": "fake", "score": 0.9}]`."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and each.keys() == {"label", "score"} for each in value)
    )


def _labelled(value: list[dict]) -> list[tuple[str, object]]:
    """Return the names and values of a score of each label, or of the likeliest label only."""
    if len(value) == 1:
        return list(value[0].items())
    return [(str(each["label"]), each["score"]) for each in value]


def _json_cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if "\0" in text:
        raise ValueError("a NUL character in a text")
    return text


def _from_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_without_repeats, parse_int=_to_integer)


def _to_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict:
    values = dict(pairs)
    if len(values) < len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{repeated!r} twice in an object")
    return values


def _json_objects(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the objects of JSON lines, of a JSON list, or of a mapping from files to values."""
    try:
        lines = filled_lines(path)
        _, first = next(lines)
        try:
            is_lines = isinstance(_from_json(first), dict | list) and next(lines, None) is not None
        except ValueError:
            is_lines = False
        if is_lines:
            found = ((f"line {n} of {path}", _from_json(line)) for n, line in filled_lines(path))
        elif path.stat().st_size > MAX_JSON_BYTES:
            raise InputError(
                f"{path} has more than {MAX_JSON_BYTES:,} bytes in one JSON document; "
                "write one object a line"
            )
        else:
            text = "".join(line for _, line in filled_lines(path))
            rows = enumerate(_objects_of(_from_json(text)), start=1)
            found = ((f"object {n} of {path}", row) for n, row in rows)
        for origin, row in found:
            row = _as_object(row)
            if not isinstance(row, dict):
                raise InputError(f"{one_line(str(row))[:60]!r} is not a JSON object ({origin})")
            yield origin, _json_cells(row)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"cannot read {path} as JSON: {one_line(str(error))}; write one object a line"
        ) from None


def _objects_of(content: object) -> Sequence[object]:
    """Return the rows of a JSON document: of a list, or of the mappings that programs write."""
    if isinstance(content, list):
        return content
    names, data = content.get("columns"), content.get("data")  # of pandas, as the next two
    rows = data if isinstance(names, list) and isinstance(data, list) else [None]
    if all(isinstance(row, list) for row in rows):
        return [dict(zip(map(str, names), row, strict=False)) for row in rows]
    values = list(content.values())
    is_table = is_header(list(content))
    if is_table and all(isinstance(value, list) for value in values):
        return [dict(zip(content, row, strict=False)) for row in zip(*values, strict=False)]
    if is_table and all(isinstance(v, dict) and v.keys() == values[0].keys() for v in values):
        return [
            {"file": row} | {name: content[name].get(row) for name in content} for row in values[0]
        ]
    if content and all(map(label_of, content)) and all(isinstance(v, list) for v in values):
        return [{"file": file, "label": label} for label in content for file in content[label]]
    lists = [value for value in values if isinstance(value, list) and value]
    if len(lists) == 1 and isinstance(lists[0][0], dict | list) and not _is_labelled(lists[0]):
        return lists[0]
    if inner := _inner_mapping(content):
        return _objects_of(inner)
    return [content] if is_table else [_file_row(*item) for item in content.items()]


def _inner_mapping(content: dict) -> dict | None:
    """Return the mapping from files that a document such as `{"scores": {...}}` has; else None."""
    if any(plain_column(name) in FILES for name in content):
        return None
    found = {
        name: value
        for name, value in content.items()
        if isinstance(value, dict) and value and not any(map(_is_column, value))
    }
    named = [value for name, value in found.items() if plain_column(name) in HOLDERS]
    if not named and len(found) == 1 and all(without_suffix(name) == name for name in found):
        named = list(found.values())
    return named[0] if len(named) == 1 else None


def _is_column(name: str) -> bool:
    plain = plain_column(name)
    return plain in (*FILES, *LABELS, *SCORES) or bool(class_of(plain))


def _as_object(row: object) -> object:
    """Return the object of a pair of a file and its value, as a list or as an object."""
    if isinstance(row, dict) and len(row) == 1 and not _is_column(*row):
        return _file_row(*row.popitem())
    if isinstance(row, list) and len(row) > 1 and isinstance(row[0], str):
        is_pair = len(row) == 2
        if is_pair or all(isinstance(value, int | float) for value in row[1:]):
            return _file_row(row[0], row[1] if is_pair else row[1:])
    return row


def _file_row(file: str, value: object) -> dict:
    """Return the row of a file and its facts, its score or its label."""
    if isinstance(value, dict):
        return {"file": file, **value}
    if _is_labelled(value):
        return {"file": file, **dict(_labelled(value))}
    is_score = value is None or not isinstance(value, str) or is_number(value)
    return {"file": file, "score" if is_score else "label": value}
