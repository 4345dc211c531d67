"""Collect real voices from the sounds of free programs, to count false alarms.

    for P in asterisk-core-sounds-{en,es,fr,it,ru}-g722 tuxpaint-stamps-default ktuberling-data \\
            klettres-data; do apt-get download $P && dpkg-deb -x $P*.deb packages; done
    python -m tools.fakes.free_voices packages data/free-voices
    python predict.py data/free-voices --run models/pretrained --csv verdicts.csv

Voices of five languages of Asterisk's prompts, and of volunteers who recorded words for Tux Paint,
KTuberling and KLettres in some forty. Words of one voice are joined to clips of 2 to 3 s,
trimmed as recordings are; files below 16 kHz are left out. The packages contain the licences.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from deepfake_audio.audio.recordings import open_recording, read_audio, trim_edges
from deepfake_audio.cli.messages import print_error
from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import InputError

SUFFIXES = {".g722", ".ogg", ".opus", ".wav"}
LOUDNESS = 0.08  # root mean square
SECONDS = (2.0, 3.0)
# Pattern of a path below the packages with the voice, its program, and the number of clips.
VOICES = (
    (re.compile(r"asterisk/sounds/(\w+)/"), "asterisk", 60),
    (re.compile(r"tuxpaint/stamps/.*_desc(?:_(\w+))?\.ogg$"), "tuxpaint", 40),
    (re.compile(r"ktuberling/sounds/([\w@]+)/"), "ktuberling", 14),
    (re.compile(r"klettres/(\w+)/"), "klettres", 14),
)


def find_voices(packages: Path) -> dict[tuple[str, int], list[Path]]:
    """Return the sound files of each voice and its number of clips."""
    voices = defaultdict(list)
    for path in sorted(packages.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            for pattern, program, most in VOICES:
                match = pattern.search(path.as_posix())
                if match:
                    voices[f"{program}-{match[1] or 'en'}", most].append(path)
    return voices


def words(paths: Iterable[Path]) -> Iterator[np.ndarray]:
    """Yield the words in usable files: float32 `(samples,)` each."""
    audio = load_settings().audio
    for path in paths:
        try:
            recording = open_recording(path, audio)
        except InputError as error:
            print_error(error)
            continue
        if recording.file_rate_hz >= audio.sample_rate_hz and not recording.is_silent:
            yield trim_edges(read_audio(path, audio.sample_rate_hz), audio)


def clips(paths: Sequence[Path], most: int) -> Iterator[np.ndarray]:
    """Yield clips of 2 to 3 seconds, made of successive words."""
    random = np.random.default_rng(3)
    rate_hz, made, spoken = load_settings().audio.sample_rate_hz, 0, []
    length = random.uniform(*SECONDS)
    for word in words([paths[place] for place in random.permutation(len(paths))]):
        spoken.append(word)
        if sum(map(len, spoken)) >= length * rate_hz:
            clip = np.concatenate(spoken)[: round(SECONDS[1] * rate_hz)]
            yield clip * (LOUDNESS / np.sqrt(np.square(clip).mean()))
            spoken, length, made = [], random.uniform(*SECONDS), made + 1
            if made == most:
                return


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("packages", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args(argv)
    (args.out / "real").mkdir(parents=True)
    lines, rate_hz = ["file,label,speaker"], load_settings().audio.sample_rate_hz
    for (voice, most), paths in tqdm(find_voices(args.packages).items(), unit="voices"):
        for number, clip in enumerate(clips(paths, most), 1):
            name = f"real/{voice}_{number:02}.flac"
            soundfile.write(args.out / name, np.clip(clip, -1, 1), rate_hz)
            lines.append(f"{name},real,{voice}")
    (args.out / "labels.csv").write_text("\n".join(lines) + "\n")
    print(f"{len(lines) - 1:,} clips in {args.out}/")


if __name__ == "__main__":
    main()
