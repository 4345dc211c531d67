"""Check that settings, images and weights fit each other."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.config.loading import (
    DEFAULTS_FILE,
    check_audio_settings,
    check_settings,
    merge_settings,
)
from deepfake_audio.config.network_sections import MAX_INPUTS
from deepfake_audio.config.schema import Settings
from deepfake_audio.config.yaml_files import read_yaml
from deepfake_audio.dataset.manifest import is_data, prepared_conditions, read_records
from deepfake_audio.dataset.provenance import audio_settings_file, read_audio_settings
from deepfake_audio.errors import InputError
from deepfake_audio.models import run_folder
from deepfake_audio.models.run_search import OpenedRun
from deepfake_audio.vocabulary import WITH_DELAY, ImageRecord

# What a training that begins with a run's weights takes over from it.
LEARNT_SECTIONS = {"data", "audio", "image", "augment", "distort", "model", "train", "predict"}
ANYTHING_GOES = {"window_overlap", "max_megapixels"}  # not what the images show


def choose_settings(
    config: str | None, overrides: Sequence[str], before: Mapping[str, Mapping] | None = None
) -> tuple[Settings, bool]:
    """Return the settings in effect, and whether the images are known to come from audio.

    Images made by this project have a file with their audio settings. The run takes these, so that
    predict.py later makes the same kind of image.

    Args:
        config: a settings file, over config.yaml; or None.
        overrides: texts such as `"train.epochs=3"`, over that.
        before: sections that replace those of config.yaml.
    """
    values = merge_settings(config, overrides, before)
    folder = values["data"]["folder"]
    audio = read_audio_settings(Path(folder)) if isinstance(folder, str) else None
    origin = config or DEFAULTS_FILE.name
    if audio is None:
        return check_settings(values, origin), False
    asked = check_audio_settings(values["audio"], origin)  # though the folder's go before these
    check_channels(audio, values["image"]["channels"], folder)
    keys = [override.partition("=")[0] for override in overrides]
    if config:
        keys += [f"audio.{name}" for name in read_yaml(Path(config)).get("audio", ())]
    check_asked(keys, asked, audio, folder)
    origin = str(audio_settings_file(Path(folder)))
    return check_settings(values | {"audio": audio.model_dump()}, origin), True


def joint_settings(members: Sequence[OpenedRun]) -> Settings:
    """Return the first run's settings with the `model.inputs` of all runs.

    Raises:
        InputError: the settings of audio, image or network differ, or the networks are too many.
    """
    first = members[0].settings
    inputs = [each for member in members for each in member.settings.model.inputs]
    for member in members[1:]:
        for name in ("audio", "image", "model"):
            ours, theirs = (getattr(s, name).model_dump() for s in (first, member.settings))
            other = [key for key in ours if ours[key] != theirs[key] and key != "inputs"]
            if other:
                raise InputError(
                    f"cannot combine {member.run.name} and {members[0].run.name}: they differ in "
                    f"{name}.{other[0]}; train one of them with the other's setting (only "
                    "model.inputs, train and data may differ)"
                )
    if len(inputs) > MAX_INPUTS:
        raise InputError(f"{len(inputs)} networks are more than {MAX_INPUTS}; name fewer runs")
    values = first.model_dump()
    values["model"]["inputs"] = inputs
    return check_settings(values, origin="the runs together")


def check_channels(rendered: AudioSettings, channels: str, folder: str) -> None:
    """Raise an `InputError` if `image.channels` needs channels that the images lack."""
    missing = ""
    if channels == "level_delay_rates" and not rendered.frame_rates_hz:
        missing = "frame rates"
    if channels in WITH_DELAY and not rendered.delay_fft_samples:
        missing = "group delay"
    if missing:
        raise InputError(
            f"the images in {folder} have no {missing}; prepare the sound again with these "
            "settings under another --name, or change image.channels and model.inputs"
        )


def check_asked(
    keys: Iterable[str], asked: AudioSettings, rendered: AudioSettings, folder: str
) -> None:
    """Raise an `InputError` if given audio settings differ from those of the images.

    Args:
        keys: of settings that the user gave, such as `"audio.db_range"`; only audio counts.
        asked: the audio settings with them.
        rendered: the audio settings of the images.
        folder: of the images.
    """
    for key in keys:
        section, _, name = key.partition(".")
        ours, theirs = getattr(asked, name, None), getattr(rendered, name, None)
        if section == "audio" and ours != theirs:
            raise InputError(
                f"{key}={ours} differs from {theirs} in {audio_settings_file(Path(folder))}, with "
                "which the images were made; leave it out, or prepare the sound again"
            )


def check_start(start: run_folder.Run, of_start: Settings, settings: Settings) -> None:
    """Raise an `InputError` if a run's weights do not fit the image and network settings."""
    for section in ("audio", "image", "model"):
        theirs, ours = (getattr(s, section).model_dump() for s in (of_start, settings))
        for name in (n for n in ours if ours[n] != theirs[n] and n not in ANYTHING_GOES):
            raise InputError(
                f"{section}.{name}={ours[name]} differs from {theirs[name]} in {start.name}, whose "
                f"weights it starts from; prepare the sound with --config {start.config}, and "
                "leave out audio, image and model settings"
            )


def leaked_files(settings: Settings, records: Sequence[ImageRecord]) -> list[str]:
    """List files kept for validation or test that a run was trained on.

    Files are compared by their names in the manifests. Different names, as after `make_fakes.py`,
    or a missing data folder hide a leak.
    """
    folder = Path(settings.data.folder)
    if not is_data(folder):
        return []
    kept = {(each.audio, each.label) for each in records if each.split != "train"}
    trained = {(each.audio, each.label) for each in read_records(folder) if each.split == "train"}
    return [audio for audio, _ in sorted(kept & trained) if audio]


def with_conditions_of(records: Sequence[ImageRecord], settings: Settings) -> Settings:
    """Return the settings with the recording conditions of the training files.

    Raises:
        InputError: the settings name other conditions.
    """
    asked, rendered = settings.prepare.conditions, prepared_conditions(records)
    if asked and (not rendered or set(rendered) - set(asked)):
        raise InputError(
            f"prepare.conditions=[{','.join(asked)}], but the images in {settings.data.folder} "
            f"were made with {', '.join(rendered) or 'no condition'}; prepare the sound again, or "
            "leave the setting out"
        )
    prepare = settings.prepare.model_copy(update={"conditions": asked or rendered})
    return settings.model_copy(update={"prepare": prepare})


def feature_mismatch(origin: Path, settings: Settings, run: run_folder.Run) -> list[str]:
    """Compare the audio settings of images with those that a run was trained on.

    Returns:
        A warning in a list, or an empty list.

    Raises:
        InputError: group delays or frame rates were computed with other settings.
    """
    rendered = read_audio_settings(origin)
    if rendered is None:
        return []
    theirs, ours = rendered.model_dump(), settings.audio.model_dump()
    other = [name for name in ours if theirs[name] != ours[name] and name not in ANYTHING_GOES]
    if not other:
        return []
    differences = "; ".join(
        f"audio.{name} is {theirs[name]} in {origin}, and {ours[name]} in {run.name}"
        for name in other
    )
    remedy = f"prepare the sound again with --config {run.config}"
    if {"delay_fft_samples", "frame_rates_hz"} & set(other):
        raise InputError(
            f"images made otherwise than those that {run.name} was trained on: {differences}; "
            f"{remedy}"
        )
    return [f"The images are made otherwise than those of its training: {differences}; {remedy}"]


def unfiltered_warnings(origin: Path, settings: Settings) -> list[str]:
    """Return a warning, if any, that predict.py leaves out windows that an evaluation counts."""
    least_hz = settings.predict.min_bandwidth_hz
    if not least_hz or read_audio_settings(origin) is None:
        return []
    return [
        f"predict.py would leave out windows with nothing above {least_hz:,.0f} Hz, such as "
        "telephone audio; these figures include them."
    ]
