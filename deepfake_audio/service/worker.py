"""A worker process: judge untrusted files for the service, within limits that are set once.

It reads one question a line from standard input and writes one answer a line, in JSON. On Linux it
can write no file. A decoder that crashes ends only this process.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from deepfake_audio.detector import Detector
from deepfake_audio.errors import InputError
from deepfake_audio.inference.inputs import Failure, Input, NamedInput, Window
from deepfake_audio.reporting.recording_report import html_report
from deepfake_audio.service.views import as_view
from deepfake_audio.system.json_text import to_json
from deepfake_audio.system.memory import limit_process
from deepfake_audio.system.signals import ENDING_SIGNALS
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.system.workers import end_with

PROGRESS_SECONDS = 0.2
REMEDY = "convert it to WAV or FLAC"


def main() -> None:
    """Answer questions until standard input ends."""
    for number in ENDING_SIGNALS:  # the server ends its workers after the work in flight
        signal.signal(number, signal.SIG_IGN)
    end_with(os.getppid())
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may write among the answers

    def say(answer: Mapping) -> None:
        print(to_json(answer), file=answers, flush=True)

    with suppress_native_stderr():
        start = json.loads(sys.stdin.readline())
        try:
            detector = Detector.load(start["run"], start["settings"])
        except InputError as error:
            say({"state": "failed", "error": str(error)})
            return
        limits = detector.settings.limits
        if limits.decoder_megabytes:
            limit_process(limits.decoder_megabytes + limits.scoring_megabytes)
        say({"state": "ready"})
        for line in sys.stdin:
            say(answer_one(detector, json.loads(line), say))


def answer_one(detector: Detector, question: Mapping, say: Callable[[Mapping], None]) -> dict:
    """Return the answer to one question.

    Args:
        detector: judges.
        question: `path` of the file, `name` for messages, `channel`, `track`; `view` and
            `report` tell whether the figures of the page and the report are needed.
        say: receives the progress.

    Returns:
        `row`, the object of predict.py, `view` and `report` if they were requested; or `bug`.
    """
    path, name = Path(question["path"]), question["name"]
    try:
        (result,) = detector.judge_many(
            [NamedInput(name, path)],
            channel=question["channel"],
            track=question["track"],
            on_window=reporter(say),
        )
        if isinstance(result, Failure):
            return {"state": "failed", "row": detector.as_dict(result)}
        answer = {"state": "done", "row": detector.as_dict(result, with_passages=True)}
        if question["view"]:
            answer["view"] = as_view(result, path, detector.settings)
        if question["report"]:
            answer["report"] = html_report(detector, result, path)
        return answer
    except MemoryError:
        text = f"cannot judge {name}: it needs more memory than limits.decoder_megabytes; {REMEDY}"
        row = detector.as_dict(Failure(name, text, "limit"))
        return {"state": "failed", "ends": True, "row": row}
    except Exception:  # the server logs it, and starts a new worker
        return {"state": "failed", "ends": True, "bug": traceback.format_exc()}


def reporter(say: Callable[[Mapping], None]) -> Callable[[Input, Window], None]:
    """Return a function that reports the windows that are judged, a few times a second."""
    last = [0.0]

    def report(found: Input, window: Window) -> None:
        if time.monotonic() - last[0] < PROGRESS_SECONDS or found.is_image:
            return
        last[0] = time.monotonic()
        say(
            {
                "state": "judging", "seconds": round(window.start_seconds, 1),
                "of_seconds": round(found.end_seconds, 1), "track": window.track,
                "channel": window.channel, "tracks": found.tracks,
            }
        )  # fmt: skip

    return report


if __name__ == "__main__":
    main()
