"""Read JSON files that this project wrote."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from deepfake_audio.errors import InputError, shortened
from deepfake_audio.system.regular_files import open_regular

Record = TypeVar("Record", bound=BaseModel)
MAX_RECORD_BYTES = 1_000_000


def read_record(
    path: Path, kind: type[Record], remedy: str, most_bytes: int = MAX_RECORD_BYTES
) -> Record:
    """Read a JSON file that this project wrote.

    Raises:
        InputError: the file can't be read, is larger, or has another content.
    """
    try:
        with open_regular(path, path.name) as file:
            encoded = file.read(most_bytes + 1)
        if len(encoded) <= most_bytes:
            return kind.model_validate_json(encoded)
        reason = f"it has more than {most_bytes:,} bytes"
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        reason = f"{key}: {first['msg']}" if key else first["msg"]
    except InputError as error:
        raise InputError(f"{str(error).rpartition(';')[0]}; {remedy}", error.code) from None
    except OSError as error:
        reason = str(error)
    raise InputError(f"cannot read {path}: {shortened(reason)}; {remedy}")
