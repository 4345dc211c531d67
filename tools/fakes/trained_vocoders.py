"""Train neural vocoders of several families, and resynthesize a folder of recordings.

    python -m tools.fakes.trained_vocoders train VOICES WEIGHTS --minutes 16
    python -m tools.fakes.trained_vocoders train VOICES WEIGHTS vocos wavernn --seed 2
    python -m tools.fakes.trained_vocoders say vocos WEIGHTS INPUT OUTPUT

VOICES contains FLAC or WAV files of real speech, mono of 16 kHz, in folders of any depth. The
named vocoders, or all, train in parallel; each writes WEIGHTS/KIND.pt. The last line is for
`make_fakes.py --command`, with {input} and {output} in place of INPUT and OUTPUT. Both need
PyTorch; training and wavernn need a GPU. Training ends after some minutes: give a smaller GPU than
an H200 more.

    vocos             frames 16 ms apart to an inverse STFT
    parallel_wavegan  noise to sound, by a non-causal WaveNet
    flow_matching     the same network, from noise to sound in 16 steps
    wavernn           one sample after the other
    neural_codec      residual vector quantisation, 4 kbit/s, frames of 20 ms

The networks are in `tools/fakes/vocoder_networks.py`.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.script import EXIT_OK, script
from deepfake_audio.errors import InputError
from tools.fakes.vocoder_networks import (
    FFT_SAMPLES,
    KINDS,
    LEARNING_RATE,
    RATE_HZ,
    LogMel,
    OfPeriod,
    OfSpectrum,
    say,
)

JUDGED_FROM = 0.1  # share of the time after which the adversarial loss counts
MEL_WEIGHT, MATCHING_WEIGHT = 15.0, 2.0
PERIODS, JUDGED_FFTS = (2, 3, 5, 7, 11), (512, 1024, 2048)
COMPARED = ((256, 20), (512, 40), (1024, 80), (2048, 160))  # FFT samples, mel bands
CLIP_NORM = 10.0
SAVE_SECONDS = 60
AT_ONCE = {"wavernn": 80}  # files in a batch; a batch takes as long as one file


def train(kind: str, voices: Sequence[np.ndarray], minutes: float, weights: Path, seed: int):
    """Train a vocoder for some minutes, and write its weights now and then and at the end."""
    torch.manual_seed(seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = KINDS[kind]().to(device)
    sample = segment_sampler(voices, network.segment_samples, network.batch, device)
    learn = plain_step(network) if hasattr(network, "loss") else adversarial_step(network, device)
    begun, seconds, saved, step = time.monotonic(), 0.0, 0.0, 0
    while seconds < 60 * minutes or not step:
        passed = min(1, seconds / 60 / minutes)
        told = learn(sample(), passed)
        step += 1
        seconds = time.monotonic() - begun
        if seconds > saved + SAVE_SECONDS:
            torch.save(network.state_dict(), weights)
            saved = seconds
            print(kind, f"{passed:.0%}, step {step:,}:", told(), flush=True)
    torch.save(network.state_dict(), weights)
    print(kind, f"{step:,} steps:", told(), flush=True)


def segment_sampler(
    voices: Sequence[np.ndarray], samples: int, batch: int, device: str
) -> Callable:
    """Return a function that cuts a batch of random segments from random voices."""
    long_enough = [np.resize(v, samples) if len(v) < samples else v for v in voices]
    sound = torch.from_numpy(np.concatenate(long_enough)).to(device)
    lengths = torch.tensor([len(v) for v in long_enough], device=device)
    firsts = lengths.cumsum(0) - lengths
    offsets = torch.arange(samples, device=device)

    def sample() -> Tensor:
        voice = torch.randint(len(lengths), (batch,), device=device)
        room = lengths[voice] - samples + 1
        first = firsts[voice] + (torch.rand(batch, device=device) * room).long()
        return sound[first[:, None] + offsets]

    return sample


def optimizer_of(network: nn.Module) -> torch.optim.Optimizer:
    rate = getattr(network, "learning_rate", LEARNING_RATE)
    return torch.optim.AdamW(network.parameters(), rate, (0.8, 0.99))


def take_step(optimizer: torch.optim.Optimizer, loss: Tensor, passed: float) -> None:
    """Take an optimizer step; the rate falls to 0 while `passed` goes from 0 to 1."""
    (group,) = optimizer.param_groups
    highest = optimizer.defaults["lr"]
    group["lr"] = highest * min(1, 50 * passed + 0.02) * math.cos(passed * math.pi / 2)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(group["params"], CLIP_NORM)
    optimizer.step()


def mixed(device: str) -> torch.autocast:
    return torch.autocast(device, torch.bfloat16, enabled=device == "cuda")


def plain_step(network: nn.Module) -> Callable:
    """Return a function that trains on a batch with the network's own loss."""
    optimizer = optimizer_of(network)

    def learn(sound: Tensor, passed: float) -> Callable:
        with mixed(sound.device.type):
            loss = network.loss(sound)
        take_step(optimizer, loss, passed)
        return lambda: f"loss {loss.item():.3f}"

    return learn


def adversarial_step(network: nn.Module, device: str) -> Callable:
    """Return a function that trains on a batch with a mel loss and discriminators."""
    judges = nn.ModuleList([*map(OfPeriod, PERIODS), *map(OfSpectrum, JUDGED_FFTS)]).to(device)
    mels = nn.ModuleList(LogMel(fft // 4, fft, bands) for fft, bands in COMPARED).to(device)
    optimizer, judges_optimizer = optimizer_of(network), optimizer_of(judges)

    def learn(sound: Tensor, passed: float) -> Callable:
        with mixed(device):
            made = network(sound).float()
        far = sum((mel(made) - mel(sound)).abs().mean() for mel in mels) / len(mels)
        loss = MEL_WEIGHT * far + getattr(network, "off", 0)
        if passed > JUDGED_FROM:
            with mixed(device):
                on_sound, on_made = judge(judges, sound), judge(judges, made.detach())
            take_step(judges_optimizer, wrongly_judged(on_sound, on_made), passed)
            with mixed(device):
                loss = loss + found_out(on_sound, judge(judges, made))
        take_step(optimizer, loss, passed)
        return lambda: f"mel {far.item():.3f}"

    return learn


def judge(judges: Iterable[nn.Module], sound: Tensor) -> list[list[Tensor]]:
    return [each(sound) for each in judges]


def wrongly_judged(on_sound: list[list[Tensor]], on_made: list[list[Tensor]]) -> Tensor:
    """Return the loss of the discriminators: 1 for sound, 0 for fakes (least squares)."""
    of_sound = sum(((1 - stages[-1].float()) ** 2).mean() for stages in on_sound)
    return of_sound + sum((stages[-1].float() ** 2).mean() for stages in on_made)


def found_out(on_sound: list[list[Tensor]], on_made: list[list[Tensor]]) -> Tensor:
    """Return the adversarial loss of fakes plus the distance of their features to real ones."""
    loss = sum(((1 - stages[-1].float()) ** 2).mean() for stages in on_made)
    for real, made in zip(on_sound, on_made, strict=True):
        stages = zip(real[:-1], made[:-1], strict=True)
        apart = [(a.detach() - b).abs().mean() for a, b in stages]
        loss = loss + MATCHING_WEIGHT * sum(apart) / len(apart)
    return loss


def say_folder(kind: str, weights: Path, heard: Path, said: Path) -> None:
    """Resynthesize each file of a folder, under its name."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = KINDS[kind]().to(device).eval()
    if not (trained := weights / f"{kind}.pt").is_file():
        raise InputError(f"no weights {trained}; train {kind} first")
    network.load_state_dict(torch.load(trained, device, weights_only=True))
    torch.manual_seed(0)
    sounds = read_folder(heard)
    by_length = sorted(sounds, key=lambda path: len(sounds[path]))
    at_once = AT_ONCE.get(kind, 1)
    for first in range(0, len(by_length), at_once):
        paths = by_length[first : first + at_once]
        longest = max(FFT_SAMPLES, len(sounds[paths[-1]]))
        samples = longest + -longest % network.hop
        filled = np.stack([np.pad(sounds[p], (0, samples - len(sounds[p]))) for p in paths])
        made = say(network, torch.from_numpy(filled).to(device))
        for path, sound in zip(paths, made, strict=True):
            soundfile.write(said / path.name, sound[: len(sounds[path])], RATE_HZ, "PCM_16")


def read_folder(folder: Path) -> dict[Path, np.ndarray]:
    """Read the FLAC and WAV files of a folder, in folders of any depth: float32 `(samples,)` each.

    Raises:
        InputError: there are none, or one is not mono of 16 kHz.
    """
    sounds = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".flac", ".wav")):
        sounds[path], rate_hz = soundfile.read(path, dtype="float32")
        if rate_hz != RATE_HZ or sounds[path].ndim > 1:
            raise InputError(
                f"{path} has {rate_hz:,} Hz and {sounds[path].ndim} dimension(s); "
                f"convert it to mono of {RATE_HZ:,} Hz"
            )
    if not sounds:
        raise InputError(f"no FLAC or WAV files in {folder}; give another folder")
    return sounds


def positive(text: str) -> float:
    """Return a number above 0; argparse turns a ValueError into its own message."""
    if not (value := float(text)) > 0:
        raise ValueError
    return value


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    if arguments.command == "say":
        say_folder(arguments.kind, arguments.weights, arguments.input, arguments.output)
        return EXIT_OK
    kinds = arguments.kinds or list(KINDS)
    voices = list(read_folder(arguments.voices).values())
    arguments.weights.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(len(kinds), get_context("spawn")) as pool:  # CUDA can't be forked
        trainings = [
            pool.submit(
                train, kind, voices, arguments.minutes, arguments.weights / f"{kind}.pt",
                arguments.seed,
            )
            for kind in kinds
        ]  # fmt: skip
        for training in trainings:
            training.result()
    return EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="-m tools.fakes.trained_vocoders", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of_training = commands.add_parser("train", description="Train vocoders on real speech.")
    of_training.add_argument("voices", type=Path, help="folder of FLAC or WAV files")
    of_training.add_argument("weights", type=Path, help="folder for the weights")
    of_training.add_argument(
        "kinds", nargs="*", choices=[[], *KINDS], metavar="KIND", help="some of them; else all"
    )
    of_training.add_argument("--minutes", type=positive, default=16, help="default: 16")
    of_training.add_argument("--seed", type=int, default=1, help="default: 1")
    of_saying = commands.add_parser("say", description="Resynthesize a folder with one of them.")
    of_saying.add_argument("kind", choices=KINDS)
    of_saying.add_argument("weights", type=Path, help="folder of the weights")
    of_saying.add_argument("input", type=Path, help="folder of FLAC or WAV files")
    of_saying.add_argument("output", type=Path, help="folder for their copies")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
