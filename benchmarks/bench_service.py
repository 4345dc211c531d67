"""Many clients at once: time to an answer and throughput, beside plain `Detector.predict`.

    python -m benchmarks.bench_service                      4 clients, each with 50 clips
    python -m benchmarks.bench_service --clients 8 --clips 20 --workers 2

The clips are parts of the shipped sample, 2 to 6 s long, each of its own content. Every answer is
compared with that of `Detector.predict` for the same clip. Plain predictions and the service take
turns in the same run. The exit code is 1 after an error or a wrong answer.
"""

import argparse
import http.client
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import soundfile

from benchmarks import ROOT
from deepfake_audio.detector import Detector

RUN = "models/pretrained"
MIN_SECONDS, MAX_SECONDS = 2, 6
ROUNDS = 3


def make_clips(count: int) -> list[bytes]:
    """Cut the long recording of the sample into clips that all differ, as WAV."""
    sound, rate_hz = soundfile.read(ROOT / "data/sample/audio/long_recording.flac")
    rng, clips = np.random.default_rng(0), []
    for _ in range(count):
        length = int(rng.uniform(MIN_SECONDS, MAX_SECONDS) * rate_hz)
        first = rng.integers(len(sound) - length)
        file = io.BytesIO()
        soundfile.write(file, sound[first : first + length], rate_hz, format="WAV")
        clips.append(file.getvalue())
    return clips


@contextmanager
def running_service(workers: int) -> Iterator[int]:
    """Start serve.py, and yield its port."""
    command = [sys.executable, str(ROOT / "serve.py"), "--run", RUN, "--port", "0"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*command, "--workers", str(workers)], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        try:
            yield int(re.search(r":(\d+)/", process.stdout.readline())[1])
        finally:
            process.terminate()
            process.wait()


def ask_all(port: int, clips: Sequence[bytes], names: Sequence[str]) -> list[tuple[float, dict]]:
    """Send clips one after the other, as one client; return the seconds and the answer of each."""
    answers, connection = [], http.client.HTTPConnection("127.0.0.1", port)
    for clip, name in zip(clips, names, strict=True):
        started = time.perf_counter()
        connection.request("POST", f"/api/v1/predict?name={name}", clip)
        answer = json.loads(connection.getresponse().read())
        answers.append((time.perf_counter() - started, answer))
    connection.close()
    return answers


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--clips", type=int, default=50, help="of each client")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args(argv)
    clips = make_clips(args.clients * args.clips)
    names = [f"{number}.wav" for number in range(len(clips))]
    detector = Detector.load(RUN)
    plain, served, wrong = [], [], 0
    with running_service(args.workers) as port, ThreadPoolExecutor(args.clients) as clients:
        for _ in range(ROUNDS):
            started, expected = time.perf_counter(), []
            for clip, name in zip(clips, names, strict=True):
                begun = time.perf_counter()
                expected.append(detector.as_dict(detector.predict(clip), True) | {"file": name})
                plain.append(time.perf_counter() - begun)
            plain_seconds = time.perf_counter() - started
            started = time.perf_counter()
            shares = [slice(first, None, args.clients) for first in range(args.clients)]
            jobs = [clients.submit(ask_all, port, clips[s], names[s]) for s in shares]
            answers = [job.result() for job in jobs]
            served_seconds = time.perf_counter() - started
            for share, given in zip(shares, answers, strict=True):
                served += [seconds for seconds, _ in given]
                wrong += sum(a != b for (_, a), b in zip(given, expected[share], strict=True))
            print(
                f"{len(clips)} clips: Detector.predict {len(clips) / plain_seconds:.1f} a second, "
                f"service {len(clips) / served_seconds:.1f} a second",
                flush=True,
            )
    for name, seconds in (("Detector.predict", plain), (f"{args.clients} clients", served)):
        median, p95 = 1000 * np.percentile(seconds, [50, 95])
        print(f"{name}: median {median:.0f} ms, 95th percentile {p95:.0f} ms")
    print(f"{len(served)} answers, {wrong} wrong; {os.cpu_count()} cores, {args.workers} workers")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
