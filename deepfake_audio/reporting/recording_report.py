"""Write the report on one judged recording as one HTML file that needs no other file."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import soundfile

from deepfake_audio.audio.sounds import Samples, Sound
from deepfake_audio.detector import Detector
from deepfake_audio.errors import one_line
from deepfake_audio.features.image_files import read_image
from deepfake_audio.features.pixel_format import picture_url
from deepfake_audio.inference import stretches
from deepfake_audio.inference.inputs import Part, in_time
from deepfake_audio.inference.occlusion import (
    MIN_REPETITION_EFFECT,
    band_effects,
    repetition_effects,
    strongest_places,
)
from deepfake_audio.inference.passages import Passage
from deepfake_audio.inference.result import Result
from deepfake_audio.inference.timelines import format_time
from deepfake_audio.models import fingerprints, run_creation
from deepfake_audio.reporting import pictures, wording
from deepfake_audio.reporting.wording import number, text
from deepfake_audio.system.pages import load_template
from deepfake_audio.system.regular_files import open_regular, size_of
from deepfake_audio.vocabulary import Verdict

TEMPLATE = Path(__file__).resolve().with_name("report.html")
MAX_PASSAGES = 9  # on one page of paper
PIECE_BYTES = 1_000_000
JUDGING_PACKAGES = (
    "av", "numpy", "onnxruntime", "opencv-python-headless", "scipy", "soundfile", "soxr",
)  # fmt: skip


def html_report(detector: Detector, result: Result, source: Sound) -> str:
    """Return the report on a recording or an image as an HTML page.

    The page has the verdict in words, the timeline, the places that speak for fake, the quality,
    and the fingerprints of the file and the model. It holds pictures and styles, and no script.
    To find the places, the network scores 11 images for each of at most 12 windows.

    Args:
        detector: which judged.
        result: of the recording.
        source: the path of the recording, its bytes, or its samples.

    Raises:
        InputError: the recording can't be read any more.
    """
    filters = {"answer": wording.answer, "part_name": wording.part_name}
    template = load_template(TEMPLATE, clock=format_time, **filters)
    content = report_content(detector, result, source)
    return template.render(text=text, **content)


def report_content(detector: Detector, result: Result, source: Sound) -> dict:
    """Gather the variables of `report.html`, which escapes every text."""
    settings, line = detector.settings.predict, result.timeline()
    passages = line.passages if line else []
    shown = most_telling(passages)
    least = f"{100 * settings.min_confidence:.3g}%"
    return {
        "language": wording.STRINGS["language"],
        "name": one_line(Path(result.name).name),
        "verdict": str(result.verdict),
        "headline": wording.headline(result),
        "confidence": wording.confidence_sentences(result, settings),
        "reasons": wording.reasons(result),
        "steps": wording.next_steps(result),
        "limits": [
            *wording.STRINGS["limits"]["text"],
            *(words.format(percent=least) for words in wording.STRINGS["limits"]["more"]),
        ],
        "timeline": timeline_url(result),
        "has_parts": len(result.parts) > 1,
        "passages": shown,
        "passages_left_out": len(passages) - len(shown),
        "places": places_content(detector, result, source),
        "measures": list(wording.quality_measures(result)),
        "judged": judged_rows(result),
        "file": file_rows(result.name, source),
        "model": model_rows(detector),
        "settings": {f"predict.{name}": value for name, value in settings.model_dump().items()},
        "versions": judging_versions(),
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
    }


def judging_versions() -> dict[str, str]:
    """Return the versions that a verdict may depend on."""
    libraries = {"FFmpeg": av.ffmpeg_version_info, "libsndfile": soundfile.__libsndfile_version__}
    return run_creation.installed_versions(JUDGING_PACKAGES) | libraries


def most_telling(passages: Sequence[Passage]) -> list[Passage]:
    """Return passages in their order: if there are too many, those marked FAKE come first."""
    first = sorted(passages, key=lambda passage: passage.verdict != Verdict.FAKE)[:MAX_PASSAGES]
    return sorted(first, key=lambda passage: passage.start_seconds)


def timeline_url(result: Result) -> str:
    """Return the picture of the timeline as a data URL; empty if there is none."""
    line = result.timeline()
    if line is None:
        return ""
    peaks = [window.peaks for window in in_time(result.windows)]
    return picture_url(pictures.timeline_picture(line, peaks))


def places_content(detector: Detector, result: Result, source: Sound) -> dict | None:
    """Find the places that speak for fake in the stretch that looks most like one.

    Returns:
        Their picture and facts about them; None for a silent recording.
    """
    if not result.windows:
        return None
    settings = detector.settings
    if result.quality is None:
        image = read_image(source, settings.image)
        places = strongest_places(band_effects(detector.model, [image]))
        return {
            "picture": picture_url(pictures.image_picture(image, places)),
            "count": int(places.sum()), "total": places.size, "repeats": 0, "span": "",
        }  # fmt: skip
    reading = detector.reading(result.channel, result.track)
    end_seconds = float(result.timeline().edges[-1])
    windows = stretches.most_fake_windows(result.windows)
    stretch = stretches.render_stretch(result.name, source, windows, reading, end_seconds)
    places = strongest_places(band_effects(detector.model, stretch.images))
    repeats = np.zeros(len(windows), bool)
    if settings.audio.frame_rates_hz and settings.image.channel_count > 2:
        repeats = repetition_effects(detector.model, stretch.images) >= MIN_REPETITION_EFFECT
    first, last = (format_time(float(time)) for time in stretch.edges[[0, -1]])
    track = stretch.track if result.quality.tracks > 1 else None
    part = wording.part_name(Part(track, stretch.channel * result.quality.channels_differ))
    span = text("report.passage", start=first, end=last)
    picture = pictures.places_picture(stretch, places, repeats, settings.audio)
    return {
        "picture": picture_url(picture),
        "count": int(places.sum()),
        "total": places.size,
        "repeats": int(repeats.sum()),
        "span": f"{span} ({part})" if part else span,
    }


def judged_rows(result: Result) -> dict[str, str]:
    """Return the parts that were judged and those that were not."""
    if result.quality is None:
        return {text("report.judged_span"): text("report.image")}
    quality, used, line = result.quality, int(result.usable.sum()), result.timeline()
    rows, verdicts = {}, wording.part_verdicts(result)
    if line:
        start, end = (format_time(float(time)) for time in line.edges[[0, -1]])
        rows["judged_span"] = text("report.span", start=start, end=end, count=number(used))
    if left_out := len(result.windows) - used:
        rows["not_judged"] = text("report.windows_left_out", count=number(left_out))
    if result.track:
        rows["tracks"] = text("report.only_track", number=result.track)
    elif quality.tracks > 1 and not verdicts:
        rows["tracks"] = text("report.each_track", count=quality.tracks)
    if result.channel:
        rows["channels"] = text("report.only_channel", number=result.channel)
    elif quality.channels_differ and not verdicts:
        rows["channels"] = text("report.each_channel")
    elif quality.channels > 1 and not quality.channels_differ:
        rows["channels"] = text("report.mean_channel", count=quality.channels)
    if verdicts:
        rows["verdicts"] = verdicts
    notes = ("left_out", "damaged", "after_end", "scaled")
    if remarks := [note.text for note in result.notes if note.code in notes]:
        rows["remarks"] = "; ".join(remarks)
    return {text(f"report.{key}"): value for key, value in rows.items()}


def file_rows(name: str, source: Sound) -> dict[str, str]:
    """Return the name, the size and the SHA-256 of a recording."""
    digest, size = hashlib.sha256(), 0
    if isinstance(source, Path):
        with open_regular(source, "A recording") as file:
            size = size_of(file)
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
    else:
        content = source.values.tobytes() if isinstance(source, Samples) else source
        digest.update(content)
        size = len(content)
    kind = "sha256_samples" if isinstance(source, Samples) else "sha256"
    return {
        text("report.name"): text("report.file", name=one_line(name), count=number(size)),
        text(f"report.{kind}"): digest.hexdigest(),
    }


def model_rows(detector: Detector) -> dict[str, str]:
    """Return the run that judged, and its fingerprints."""
    run, record, settings = detector.run, detector.record, detector.settings
    model = record.model_fingerprint or fingerprints.fingerprint_model(
        run.onnx_model, settings.limits
    )
    trained = {"name": one_line(run.name), "date": f"{record.created:%Y-%m-%d}"}
    return {
        text("report.run"): text("report.trained", **trained),
        text("report.sha256_model"): model,
        text("report.sha256_settings"): fingerprints.fingerprint_settings(settings),
    }
