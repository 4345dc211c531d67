"""Load settings from config.yaml, a user's file and key=value overrides."""

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.config.schema import Settings
from deepfake_audio.config.yaml_files import parse_yaml, read_yaml
from deepfake_audio.errors import InputError, shortened
from deepfake_audio.system.regular_files import is_file, is_folder

PACKAGE = Path(__file__).resolve().parents[1]
# The folder of config.yaml, the scripts and models/pretrained: a checkout's root, or its copy
# inside the installed package.
ROOT = next(f for f in (PACKAGE / "root", PACKAGE.parent) if (f / "config.yaml").is_file())
DEFAULTS_FILE = ROOT / "config.yaml"
WHOLE = "a whole number in digits"
DOTTED_KEY = re.compile(r"[a-z]+\.[a-z_]+")
USE_SECTIONS = ("predict", "evaluate", "score")  # a trained network does not rest on them
CHANGEABLE = (*USE_SECTIONS, "limits")

# Values of settings for files that are older than the setting.
LEGACY_DEFAULTS = {
    "audio": {"delay_fft_samples": 0, "frame_rates_hz": []},
    "prepare": {
        "conditions": [],
        "condition_copies": 1,
        "seed": 0,
        "image_groups": "auto",
    },
    "train": {"all_gpus": False},
    "predict": {"min_voicing": 0.0},
}

# The present name of each setting that had another one: old files and commands still work.
RENAMED_KEYS = {
    "image.color": "image.channels",
    "model.views": "model.inputs",
    "prepare.codecs": "prepare.conditions",
}

BOUNDS = {
    "minimum": "at least", "exclusiveMinimum": "above",
    "maximum": "at most", "exclusiveMaximum": "below",
}  # fmt: skip
BOUND_ERRORS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


def load_settings(path: str | Path | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Load the defaults, replace them by those of a settings file and by overrides, and check all.

    Args:
        path: a YAML file that may hold any part of the settings; None for only the defaults.
        overrides: texts such as `"train.epochs=3"`; the value is read as YAML.

    Returns:
        The settings in effect.

    Raises:
        InputError: an unreadable file, an unknown key (with the near match), a wrong type or range.
    """
    return check_settings(merge_settings(path, overrides), origin=str(path or DEFAULTS_FILE.name))


def merge_settings(
    path: str | Path | None,
    overrides: Iterable[str],
    before: Mapping[str, Mapping] | None = None,
) -> dict[str, dict]:
    """Do as `load_settings`, but return plain values of known keys, not checked yet.

    `before` are whole sections that take the place of the defaults.
    """
    values = read_yaml(DEFAULTS_FILE) | (before or {})
    if path is not None:
        _merge(values, read_yaml(Path(path)), origin=str(path))
    _merge_overrides(values, overrides)
    return values


def _merge_overrides(values: dict, overrides: Iterable[str]) -> None:
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise InputError(
                f"{shortened(repr(override))} is not section.key=value; {_suggest(override)}"
            )
        _set_override(values, key, parse_yaml(text, f"the value of {key}"))


def _suggest(word: str) -> str:
    """Return what may have been meant by a word that is no override."""
    if "=" in word or DOTTED_KEY.fullmatch(word):
        return "write a setting, such as train.epochs=3"
    quoted = shlex.quote(word)
    if any(is_file(Path(place, word, "run.json")) for place in ("", "runs")):
        return f"for a run, write --run {quoted}"
    if is_folder(Path(word)):
        return f"for a folder of images, write data.folder={quoted}, or --data {quoted} to evaluate"
    return "write a setting, such as train.epochs=3, and put a name with blanks in quotes"


def read_settings(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read a complete settings file, such as the one stored with a run.

    Defaults replace only missing settings that do not influence a trained network, and those of
    `LEGACY_DEFAULTS`, so that older runs can still be used. The limits come from this machine's
    config.yaml, or from the overrides: a run can't change them.

    The overrides are those of `load_settings`, of sections that a trained network does not rest on.

    Raises:
        InputError: as `load_settings`, and for a setting that was fixed in training.
    """
    for override in overrides:
        key = override.partition("=")[0]
        section, dot, _ = RENAMED_KEYS.get(key, key).partition(".")
        if dot and section not in CHANGEABLE:  # an override without a section is reported below
            raise InputError(
                f"cannot set {shortened(repr(override))} for a trained run: only settings of the "
                f"sections {', '.join(CHANGEABLE)} can change; train a new run with it"
            )
    values, machine = with_legacy_defaults(read_yaml(path)), read_yaml(DEFAULTS_FILE)
    for section in USE_SECTIONS:
        given = values.get(section, {})
        values[section] = machine[section] | given if isinstance(given, dict) else given
    values["limits"] = machine["limits"]
    if isinstance(values.get("image"), dict):
        values["image"]["max_megapixels"] = machine["image"]["max_megapixels"]
    _merge_overrides(values, overrides)
    return check_settings(values, origin=str(path))


def with_legacy_defaults(values: Mapping) -> dict:
    """Return the sections of a stored file with present names, and with settings added since."""
    renamed = {
        section: dict(pairs) if isinstance(pairs, dict) else pairs
        for section, pairs in values.items()
    }
    for old, new in RENAMED_KEYS.items():
        (section, key), (new_section, new_key) = old.split("."), new.split(".")
        if isinstance(renamed.get(section), dict) and key in renamed[section]:
            renamed.setdefault(new_section, {}).setdefault(new_key, renamed[section].pop(key))
    return {
        section: LEGACY_DEFAULTS.get(section, {}) | pairs if isinstance(pairs, dict) else pairs
        for section, pairs in renamed.items()
    }


def check_settings(values: Mapping, origin: str) -> Settings:
    """Turn plain values into `Settings`, or raise a `InputError` that names the first wrong key."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _wrong_value(error, (), origin) from None


def check_audio_settings(values: Mapping, origin: str) -> AudioSettings:
    """Check only the audio section; see `check_settings`."""
    try:
        return AudioSettings.model_validate(values)
    except ValidationError as error:
        raise _wrong_value(error, ("audio",), origin) from None


def _wrong_value(error: ValidationError, section: tuple[str, ...], origin: str) -> InputError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in (*section, *first["loc"]))
    if first["type"] == "extra_forbidden":
        return InputError(_unknown_key(key, origin))
    if first["type"] == "missing":
        return InputError(
            f"{origin} has no {key}; write it there, as in config.yaml, or train again if the run "
            "is older than this setting"
        )
    rule = first["msg"].removeprefix("Value error, ").replace("a valid integer", WHOLE)
    if first["type"] == "value_error":
        return InputError(rule)
    rule = rule[0].lower() + rule[1:].replace("nput should", "t should", 1)
    bounds = _bounds(key)
    if first["type"] in BOUND_ERRORS and bounds:
        rule = f"it should be {bounds}"
    elif bounds:
        rule += f", {bounds}"
    return InputError(
        f"{key} is {shortened(repr(first['input']))}; {rule}{_near_match(key, first['input'])} "
        "(config.yaml explains it)"
    )


def _rules(key: str) -> dict:
    """Return the JSON schema of a setting."""
    section, _, name = key.partition(".")
    schema = Settings.model_fields[section].annotation.model_json_schema()
    return schema["properties"].get(name, {})


def _bounds(key: str) -> str:
    """Return the range of a number, such as "at least 1 and at most 9"; empty for others."""
    rules = _rules(key)
    bounds = [f"{words} {rules[bound]:g}" for bound, words in BOUNDS.items() if bound in rules]
    return " and ".join(bounds)


def _near_match(key: str, given: object) -> str:
    """Return a question for the allowed word that is most like a wrong one; empty for none."""
    allowed = _rules(key).get("enum", ())
    near = difflib.get_close_matches(str(given).lower(), allowed, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def write_settings(settings: Settings, path: Path) -> None:
    """Write the settings as YAML, with the comments of `config.yaml`."""
    yaml = YAML(typ="rt")
    yaml.width = 200
    document = yaml.load(DEFAULTS_FILE.read_text(encoding="utf-8"))
    for section, values in settings.model_dump().items():
        for key, value in values.items():
            if document[section][key] != value:
                document[section][key] = _on_one_line(value)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)


def _on_one_line(value: object) -> object:
    """Return a list so that it is written beside its key: the comment behind would part them."""
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value


def _merge(values: dict, changes: Mapping, origin: str) -> None:
    for section, pairs in changes.items():
        if section not in values:
            raise InputError(_unknown_key(str(section), origin))
        if not isinstance(pairs, dict):
            raise InputError(
                f"{section} in {origin} is {shortened(repr(pairs))}; write a section of key: value "
                "lines"
            )
        for key, value in pairs.items():
            _set_override(values, f"{section}.{key}", value, origin)


def _set_override(values: dict, dotted_key: str, value: object, origin: str = "") -> None:
    section, _, key = RENAMED_KEYS.get(dotted_key, dotted_key).partition(".")
    if key not in values.get(section, {}):
        raise InputError(_unknown_key(dotted_key, origin))
    if isinstance(values[section][key], float) and type(value) is int and abs(value) < 2**63:
        value = float(value)
    values[section][key] = value


def _unknown_key(key: str, origin: str) -> str:
    names = {
        section: [f"{section}.{name}" for name in field.annotation.model_fields]
        for section, field in Settings.model_fields.items()
    }
    known = [name for section in names.values() for name in section]
    section, _, rest = key.lower().partition(".")
    near = [name for name in known if name.partition(".")[2] == key.lower().rpartition(".")[2]]
    near += difflib.get_close_matches(shortened(key).lower(), [*known, *names], n=1, cutoff=0.5)
    if section in names and not rest:
        remedy = f"name one of {', '.join(names[section])}"
    else:
        remedy = f"did you mean {near[0]}?" if near else "config.yaml lists every setting"
    place = f" in {origin}" if origin else ""
    return f"{shortened(key)}{place} is not a setting; {remedy}"
