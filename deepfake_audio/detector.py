"""The detector: one recording to one result."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from deepfake_audio.config.schema import PredictSettings, Settings
from deepfake_audio.errors import InputError
from deepfake_audio.inference import pipeline, timelines
from deepfake_audio.inference.inputs import (
    AnyRecording,
    Failure,
    Given,
    Input,
    Part,
    Reading,
    Window,
    in_time,
    split_parts,
    to_inputs,
)
from deepfake_audio.inference.reasons import (
    OF_PARTS,
    Reason,
    explain_answer,
    find_fake_passage,
    find_notes,
)
from deepfake_audio.inference.recording_quality import quality_of, window_degradations
from deepfake_audio.inference.result import Result
from deepfake_audio.inference.rules import (
    find_doubt,
    frame_rate_hz,
    heard_windows,
    judge_parts,
    mean_score,
    usable_windows,
    with_telephones,
)
from deepfake_audio.models import fingerprints, onnx_session, run_folder, run_search
from deepfake_audio.models.calibration import Calibration, probability, verdict
from deepfake_audio.models.run_record import RunRecord
from deepfake_audio.system.workers import usable_threads
from deepfake_audio.verdict_json import as_object
from deepfake_audio.vocabulary import Verdict

LONG_SECONDS = 10  # in a longer REAL recording, a fake passage makes the verdict UNCERTAIN


class Detector:
    """A trained run that judges recordings; any number of threads may use one.

    Attributes:
        run: the run folder.
        settings: of the run, with the caller's overrides.
        record: content of `run.json`.
    """

    def __init__(
        self,
        run: run_folder.Run,
        record: RunRecord,
        settings: Settings,
        bound_memory: bool = False,
    ):
        """Load the model of an opened run; see `load`."""
        self.run, self.record, self.settings = run, record, settings
        self._bound_memory = bound_memory
        self.model = onnx_session.load_model(
            run.onnx_model, settings.score.threads, settings.limits, bound_memory
        )

    def __repr__(self) -> str:
        return f"Detector(run={str(self.run.folder)!r})"

    @cached_property
    def fingerprint(self) -> str:
        """Return 64 hexadecimal digits that identify the network, its calibration and settings."""
        return fingerprints.fingerprint_run(self.run, self.record, self.settings.limits)

    @classmethod
    def load(
        cls,
        run: str | Path | None = None,
        overrides: Sequence[str] = (),
        bound_memory: bool = False,
    ) -> "Detector":
        """Load a run.

        Args:
            run: a folder, a name below `runs/`, or a fingerprint; None for the newest run, or the
                pretrained one.
            overrides: settings such as `"predict.prior_fake=0.1"`.
            bound_memory: keep FFmpeg within `limits.decoder_megabytes` by setting RLIMIT_DATA of
                this process while a file is decoded; other threads may then run out of memory.

        Raises:
            InputError: there is no such run, or its files are damaged.
        """
        name = None if run is None else str(run)
        opened = run_search.open_run(
            name, overrides=overrides, or_pretrained=True, bound_memory=bound_memory
        )
        return cls(*opened, bound_memory)

    @classmethod
    def pretrained(cls, overrides: Sequence[str] = ()) -> "Detector":
        """Load the model that ships with the package."""
        return cls.load(run_folder.PRETRAINED, overrides)

    @property
    def decoder_megabytes(self) -> int:
        """Return the memory that FFmpeg may take in this process; 0 for no bound."""
        return self.settings.limits.decoder_megabytes if self._bound_memory else 0

    def reading(self, channel: int | None = None, track: int | None = None) -> Reading:
        """Return how files become windows; see `predict` for the channel and the track."""
        return Reading(
            self.settings,
            self.record.images_from_audio,
            channel,
            decoder_megabytes=self.decoder_megabytes,
            track=track,
            threads=usable_threads(self.settings.score.threads),
        )

    def predict(
        self, recording: AnyRecording, channel: int | None = None, track: int | None = None
    ) -> Result:
        """Judge one recording or spectrogram image.

        Args:
            recording: any audio file that FFmpeg or libsndfile reads, or an image: a path, its
                bytes, or a binary file object; or `(samples, sample_rate_hz)` with samples of
                shape `(samples,)` or `(samples, channels)`: floats with a full scale of 1, or
                int16, int32 or uint8.
            channel: the only channel to judge, from 1; None for all.
            track: the only audio track to judge, from 1; None for all.

        Raises:
            InputError: the recording can't be read.
        """
        return next(self.predict_many([recording], channel=channel, track=track))

    def predict_many(
        self,
        recordings: Iterable[AnyRecording | Given],
        workers: int = 1,
        channel: int | None = None,
        on_error: Callable[[Failure], object] | None = None,
        track: int | None = None,
        cluster: str | None = None,
        on_window: Callable[[Input, Window], object] | None = None,
    ) -> Iterator[Result]:
        """Judge recordings or images in their order.

        Args:
            recordings: each as for `predict`; read as results are consumed.
            workers: processes; 0 for one per core. 1 stays in this process.
            channel: the only channel to judge, from 1; None for all.
            on_error: receives each recording that can't be read; None raises instead.
            track: the only audio track to judge, from 1; None for all.
            cluster: address of a Dask scheduler, such as `tcp://host:8786`, whose workers judge.
            on_window: receives each file so far and its next window, to show the progress; not from
                other processes and machines.

        Yields:
            A result for each recording that can be read.

        Raises:
            InputError: a recording can't be read and `on_error` is None, or the cluster can't work.
            TypeError: `recordings` is one path, one file or its bytes, or one of them is of no
                known kind.
        """
        for found in self.judge_many(recordings, workers, channel, track, cluster, on_window):
            if isinstance(found, Result):
                yield found
            elif on_error:
                on_error(found)
            else:
                raise InputError(found.error, found.code)

    def judge_many(
        self,
        recordings: Iterable[AnyRecording | Given],
        workers: int = 1,
        channel: int | None = None,
        track: int | None = None,
        cluster: str | None = None,
        on_window: Callable[[Input, Window], object] | None = None,
    ) -> Iterator[Result | Failure]:
        """Yield a result or a failure for each recording or image; see `predict_many`."""
        if isinstance(recordings, str | bytes | os.PathLike) or hasattr(recordings, "read"):
            kind = type(recordings).__name__
            raise TypeError(f"recordings must be a list, not a {kind}; use predict for one of them")
        reading = replace(self.reading(channel, track), on_window=on_window)
        names = to_inputs(recordings, self.settings.limits.stdin_megabytes)
        to_result = partial(
            judge,
            calibration=self.record.calibration,
            settings=self.settings,
            run=self.run.name,
        )
        model = self.run.onnx_model
        if cluster is not None:
            yield from pipeline.score_on_cluster(cluster, model, reading, names, to_result)
        elif workers == 1:
            for found in pipeline.score_inputs(self.model, reading, names):
                yield to_result(found) if isinstance(found, Input) else found
        else:
            yield from pipeline.score_in_processes(model, reading, names, workers, to_result)

    def as_dict(self, found: Result | Failure, with_passages: bool = False) -> dict:
        """Return a result of this detector, or a failure, as `predict.py --json` prints it.

        Args:
            found: from `predict` or `predict_many`; see docs/json.md for the keys.
            with_passages: add the passages of a recording, as `--timeline` does.
        """
        model = {"name": self.run.name, "fingerprint": self.fingerprint}
        return as_object(found, model, self.settings.predict, with_passages)


def judge(found: Input, calibration: Calibration, settings: Settings, run: str) -> Result:
    """Turn the scored windows of one file into a result."""
    predict = with_telephones(settings.predict) if calibration.quality else settings.predict
    usable = usable_windows(found.windows, predict)
    score = mean_score(found.windows, usable)
    quality = None if found.is_image else quality_of(found)
    degraded = quality and quality.degraded
    llr = None if score is None else float(calibration.llr(score, degraded))
    parts = split_parts(found)
    answers = judge_parts(parts, calibration, predict)
    doubt = find_doubt(found, usable, score, degraded, calibration, predict, answers)
    answer, p_real = _answer(llr, doubt, predict.prior_fake, predict.min_confidence)
    even, _ = _answer(llr, doubt, 0.5, predict.min_confidence)  # notes do not depend on the prior
    if doubt and doubt.code not in OF_PARTS:
        answers = ()
    set_llrs(parts, calibration)
    line = make_timeline(parts, doubt, settings.audio.window_seconds, predict)
    passage = find_fake_passage(line, answer, answers)
    if passage and answer == Verdict.REAL and found.sound_seconds > LONG_SECONDS:
        doubt, answer, p_real = passage, Verdict.UNCERTAIN, None
    told = answers if doubt in (None, passage) else ()
    rate_hz = frame_rate_hz(heard_windows(found.windows, usable), settings.audio.frame_rates_hz)
    return Result(
        name=found.name,
        verdict=answer,
        confidence=None if p_real is None else max(p_real, 1 - p_real),
        p_real=p_real,
        llr=llr,
        score=score,
        doubt=doubt,
        notes=(
            *explain_answer(answer, p_real, quality, told, even),
            *find_notes(found, usable, even, doubt, rate_hz, passage, predict),
        ),
        quality=quality,
        windows=tuple(found.windows),
        usable=usable if usable.any() else ~usable,
        frame_rate_hz=rate_hz,
        run=run,
        parts=answers,
        channel=found.only_channel,
        track=found.only_track,
        _timeline=line,
    )


def _answer(
    llr: float | None, doubt: Reason | None, prior_fake: float, min_confidence: float
) -> tuple[Verdict, float | None]:
    """Return the verdict and P(real) at a prior; UNCERTAIN and None if there is a doubt."""
    if doubt:
        return Verdict.UNCERTAIN, None
    p_real = float(probability(llr, prior_fake))
    return verdict(p_real, min_confidence), p_real


def set_llrs(parts: Mapping[Part, Input], calibration: Calibration) -> None:
    """Calibrate the score of each window by the quality of its part."""
    for found in parts.values():
        quality = None if found.is_image else quality_of(found)
        scores = [window.score for window in found.windows]
        llrs = calibration.llr(scores, window_degradations(found, quality))
        for window, llr in zip(found.windows, llrs.tolist(), strict=True):
            window.llr = llr


def make_timeline(
    parts: Mapping[Part, Input],
    doubt: Reason | None,
    window_seconds: float,
    settings: PredictSettings,
) -> timelines.Timeline | None:
    """Return P(fake) over time; None for an image or without a window.

    With a doubt about the whole recording no window counts; its parts may have verdicts.
    """
    is_judged = doubt is None or doubt.code in OF_PARTS
    lines = []
    for part, found in parts.items():
        if found.is_image or not found.windows:
            return None
        windows = in_time(found.windows)
        counts = usable_windows(windows, settings) & is_judged
        starts = np.array([window.start_seconds for window in windows])
        llr = np.where(counts, [window.llr for window in windows], np.nan)
        lines.append(
            timelines.make_timeline(starts, llr, window_seconds, settings, found.end_seconds, part)
        )
    return timelines.join_timelines(lines)
