"""Neural vocoders of families that leave other traces than transposed convolutions, in PyTorch.

    network = KINDS["vocos"]()
    said = say(network, sound)

Each goes from float `(batch, samples)` at 16 kHz, a multiple of its hop, to as many samples,
through the representation of its family: a log mel spectrogram, or codes. They are smaller than in
the papers. The discriminators are at the end.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import librosa
import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (as everybody calls it)

RATE_HZ = 16_000
FFT_SAMPLES, MEL_BANDS = 1024, 80
MIN_MEL_HZ, MAX_MEL_HZ, MEL_FLOOR = 20.0, 7990.0, 1e-4
POWER_FLOOR = 1e-9  # below it the root is too steep
MAX_LOG_MAGNITUDE = 5.0
EMPHASIS = 0.9  # of high frequencies, which a mean square error of samples would ignore
QUIET = 1e-4  # of full scale
FLOW_STEPS = 16
MU_LAW_LEVELS = 1024
LOUDER = 2.0  # so that loud speech reaches the highest level
SURER = 1.1  # factor of the log-odds of levels: less noise
CODEBOOKS, CODES, CODE_NUMBERS = 8, 1024, 8
COMMITMENT_WEIGHT = 0.25
LEARNING_RATE = 4e-4


class LogMel(nn.Module):
    """Describe `(batch, samples)` by `(batch, bands, samples / hop)` log mel magnitudes."""

    def __init__(self, hop: int, fft: int = FFT_SAMPLES, bands: int = MEL_BANDS):
        super().__init__()
        self.hop, self.fft = hop, fft
        filters = librosa.filters.mel(
            sr=RATE_HZ, n_fft=fft, n_mels=bands, fmin=MIN_MEL_HZ, fmax=MAX_MEL_HZ,
            htk=True, norm=None,
        )  # fmt: skip
        self.register_buffer("filters", torch.from_numpy(filters.T.copy()), persistent=False)
        self.register_buffer("window", torch.hann_window(fft), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        with torch.autocast(sound.device.type, enabled=False):
            linear = magnitudes(sound, self.fft, self.hop, self.window)
            mel = linear.transpose(1, 2) @ self.filters
        return mel.clamp_min(MEL_FLOOR).log().transpose(1, 2)[..., :-1]


def magnitudes(sound: Tensor, fft: int, hop: int, window: Tensor) -> Tensor:
    """Return `(batch, bins, frames)` of `(batch, samples)`, in 32-bit floats."""
    spectrum = torch.stft(sound.float(), fft, hop, window=window, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + POWER_FLOOR).sqrt()


def convolution(inputs: int, outputs: int, size: int, dilation: int = 1, **named) -> nn.Conv1d:
    """Return a convolution that keeps the length."""
    padding = dilation * (size - 1) // 2
    return nn.Conv1d(inputs, outputs, size, padding=padding, dilation=dilation, **named)


class ConvNeXt(nn.Module):
    """Add a depthwise convolution and two dense layers to `(batch, channels, frames)`."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise = convolution(channels, channels, 7, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.dense = nn.Sequential(
            nn.Linear(channels, 3 * channels), nn.GELU(), nn.Linear(3 * channels, channels)
        )
        self.scale = nn.Parameter(torch.full((channels,), 0.125))

    def forward(self, x: Tensor) -> Tensor:
        update = self.dense(self.norm(self.depthwise(x).transpose(1, 2)))
        return x + (self.scale * update).transpose(1, 2)


class Vocos(nn.Module):
    """Predict magnitude and phase of each frame, and add the frames up.

    Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders", 2023.
    """

    hop, segment_samples, batch = 256, 16_384, 16

    def __init__(self, channels: int = 384, blocks: int = 8):
        super().__init__()
        self.mel = LogMel(self.hop)
        self.begin = convolution(MEL_BANDS, channels, 7)
        self.blocks = nn.Sequential(*[ConvNeXt(channels) for _ in range(blocks)])
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, FFT_SAMPLES + 2)
        self.register_buffer("window", torch.hann_window(FFT_SAMPLES), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        frames = self.blocks(self.begin(self.mel(sound)))
        frames = self.head(self.norm(frames.transpose(1, 2))).transpose(1, 2).float()
        log_magnitude, phase = F.pad(frames, (0, 1), mode="replicate").chunk(2, dim=1)
        spectrum = torch.polar(log_magnitude.clamp_max(MAX_LOG_MAGNITUDE).exp(), phase)
        return torch.istft(spectrum, FFT_SAMPLES, self.hop, window=self.window)


class Snake(nn.Module):
    """`x + sin(a x)^2 / a`: an activation that repeats (Ziyin et al., 2020)."""

    def __init__(self, channels: int):
        super().__init__()
        self.log_a = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        a = self.log_a.exp().to(x.dtype)
        return x + torch.sin(a * x).square() / (a + 1e-4)


class Residuals(nn.Module):
    """Add dilated convolutions, each after a periodic activation."""

    def __init__(self, channels: int):
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Sequential(
                Snake(channels),
                convolution(channels, channels, 7, dilation),
                Snake(channels),
                convolution(channels, channels, 7),
            )
            for dilation in (1, 3, 9)
        )

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = x + step(x)
        return x


class Upsampler(nn.Module):
    """Go from `(batch, inputs, frames)` to samples; each stride halves the channels."""

    def __init__(self, inputs: int, channels: int, strides: Sequence[int]):
        super().__init__()
        stages = [convolution(inputs, channels, 7)]
        for stride in strides:
            half = channels // 2
            stages += [
                nn.ConvTranspose1d(
                    channels, half, 2 * stride, stride, (stride + 1) // 2, stride % 2
                ),
                Residuals(half),
            ]
            channels = half
        self.stages = nn.Sequential(*stages, Snake(channels), convolution(channels, 1, 7))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.stages(x).float())[:, 0]


class Quantizer(nn.Module):
    """Quantise `(batch, numbers, frames)` by the nearest codes, and the rest by further codebooks.

    Returns the sum of the codes, and the quantisation loss.
    """

    def __init__(self, numbers: int):
        super().__init__()
        self.down = nn.ModuleList(nn.Conv1d(numbers, CODE_NUMBERS, 1) for _ in range(CODEBOOKS))
        self.up = nn.ModuleList(nn.Conv1d(CODE_NUMBERS, numbers, 1) for _ in range(CODEBOOKS))
        self.codes = nn.Parameter(torch.randn(CODEBOOKS, CODES, CODE_NUMBERS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        left, total, off = x.float(), 0, 0
        for down, up, codes in zip(self.down, self.up, self.codes, strict=True):
            asked = down(left).float()  # (batch, 8, frames)
            alike = torch.einsum("bnt,cn->btc", F.normalize(asked, dim=1), F.normalize(codes))
            taken = codes[alike.argmax(-1)].transpose(1, 2)
            off = off + F.mse_loss(taken, asked.detach())
            off = off + COMMITMENT_WEIGHT * F.mse_loss(asked, taken.detach())
            stands_for = up(asked + (taken - asked).detach()).float()
            total, left = total + stands_for, left - stands_for
        return total, off


class NeuralCodec(nn.Module):
    """Code 320 samples as eight codes of 10 bits each (4 kbit/s), and decode them.

    Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", 2023.
    """

    hop, segment_samples, batch = 320, 9_600, 12

    def __init__(self, channels: int = 16, numbers: int = 128):
        super().__init__()
        stages = [convolution(1, channels, 7)]
        for stride in (2, 4, 5, 8):
            stages += [
                Residuals(channels),
                Snake(channels),
                nn.Conv1d(channels, 2 * channels, 2 * stride, stride, (stride + 1) // 2),
            ]
            channels *= 2
        self.encoder = nn.Sequential(*stages, convolution(channels, numbers, 3))
        self.quantizer = Quantizer(numbers)
        self.decoder = Upsampler(numbers, 384, (8, 5, 4, 2))
        self.off = torch.zeros(())

    def forward(self, sound: Tensor) -> Tensor:
        said, self.off = self.quantizer(self.encoder(sound[:, None]))
        return self.decoder(said)


class WaveNet(nn.Module):
    """Transform `(batch, samples)` by non-causal dilated convolutions, conditioned on a mel.

    van den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016. The conditioning
    is half a frame late, in training as in use.

    Args:
        timed: whether it is conditioned on the time from noise to sound.
    """

    def __init__(self, hop: int, timed: bool, layers: int = 24, channels: int = 64):
        super().__init__()
        self.hop, self.layers = hop, layers
        self.frames = nn.Sequential(
            convolution(MEL_BANDS, 128, 5), nn.GELU(), convolution(128, 128, 3), nn.GELU()
        )
        self.told = nn.Conv1d(128, 32, 1)
        self.begin = nn.Conv1d(1, channels, 1)
        self.gates = nn.ModuleList(
            convolution(channels, 2 * channels, 3, 2 ** (n % 8)) for n in range(layers)
        )
        self.hear = nn.ModuleList(nn.Conv1d(32, 2 * channels, 1) for _ in range(layers))
        self.ends = nn.ModuleList(nn.Conv1d(channels, 2 * channels, 1) for _ in range(layers))
        self.end = nn.Sequential(
            nn.ReLU(), nn.Conv1d(channels, channels, 1), nn.ReLU(), nn.Conv1d(channels, 1, 1)
        )
        self.when = (
            nn.Sequential(nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 128)) if timed else None
        )

    def forward(self, x: Tensor, mel: Tensor, when: Tensor | None = None) -> Tensor:
        heard = self.frames(mel)
        if self.when is not None:
            heard = heard + self.when(waves(when))[..., None]
        told = F.interpolate(self.told(heard), scale_factor=float(self.hop), mode="linear")
        x, total = self.begin(x[:, None]), 0
        for gate, hear, end in zip(self.gates, self.hear, self.ends, strict=True):
            a, b = (gate(x) + hear(told)).chunk(2, dim=1)
            more, out = end(torch.tanh(a) * torch.sigmoid(b)).chunk(2, dim=1)
            x, total = (x + more) * math.sqrt(0.5), total + out
        return self.end(total / math.sqrt(self.layers)).float()[:, 0]


def waves(when: Tensor) -> Tensor:
    """Describe `(batch,)` times from 0 to 1 by sines and cosines, `(batch, 64)`."""
    angles = when[:, None] * torch.exp(torch.linspace(0, 6.9, 32, device=when.device))
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ParallelWaveGAN(nn.Module):
    """Turn noise into sound at one go.

    Yamamoto et al., "Parallel WaveGAN", 2020.
    """

    hop, segment_samples, batch = 256, 8_192, 12

    def __init__(self):
        super().__init__()
        self.mel = LogMel(self.hop)
        self.network = WaveNet(self.hop, timed=False)

    def forward(self, sound: Tensor) -> Tensor:
        return self.network(torch.randn_like(sound), self.mel(sound))


def emphasised(sound: Tensor) -> Tensor:
    """Subtract most of the previous sample from each: `(batch, samples)` to the same."""
    return sound - EMPHASIS * F.pad(sound, (1, 0))[:, :-1]


def as_it_was(sound: Tensor) -> np.ndarray:
    """Undo `emphasised`: float32 `(files, samples)`."""
    return lfilter([1], [1, -EMPHASIS], sound.cpu().numpy()).astype(np.float32)


def loudness(sound: Tensor, hop: int) -> Tensor:
    """Return the root mean square around each sample, half a frame late: `(batch, samples)`."""
    frames = F.avg_pool1d(sound[:, None].square(), 4 * hop, hop, 2 * hop, count_include_pad=False)
    smooth = F.interpolate(frames[..., :-1], scale_factor=float(hop), mode="linear")
    return smooth[:, 0].sqrt() + QUIET


class FlowMatching(nn.Module):
    """Learn the flow from noise to sound of even loudness, and follow it in 16 steps.

    Lipman et al., "Flow Matching for Generative Modeling", 2022. Frame loudness is an input.
    """

    hop, segment_samples, batch = 256, 8_192, 16

    def __init__(self):
        super().__init__()
        self.mel = LogMel(self.hop)
        self.network = WaveNet(self.hop, timed=True)

    def loss(self, sound: Tensor) -> Tensor:
        goal, noise = emphasised(sound), torch.randn_like(sound)
        goal = goal / loudness(goal, self.hop)
        when = torch.rand(len(sound), device=sound.device)
        between = torch.lerp(noise, goal, when[:, None])
        return F.mse_loss(self.network(between, self.mel(sound), when), goal - noise)

    def say(self, sound: Tensor) -> np.ndarray:
        x, mel = torch.randn_like(sound), self.mel(sound)
        for step in range(FLOW_STEPS):
            when = torch.full((len(sound),), step / FLOW_STEPS, device=sound.device)
            x = x + self.network(x, mel, when) / FLOW_STEPS
        return as_it_was(x * loudness(emphasised(sound), self.hop))


class WaveRNN(nn.Module):
    """Predict each sample from those before it, and from the frame it is in.

    Kalchbrenner et al., "Efficient Neural Audio Synthesis", 2018. It trains on segments of 80 ms,
    mostly near an edge, but speaks whole sentences: longer segments would be better.
    """

    hop, segment_samples, batch, learning_rate = 128, 1_280, 96, 1e-3

    def __init__(self, units: int = 512):
        super().__init__()
        self.mel = LogMel(self.hop)
        self.frames = nn.Sequential(
            convolution(MEL_BANDS, 192, 5), nn.GELU(), convolution(192, 192, 3), nn.GELU()
        )
        self.memory = nn.GRU(192 + 1, units, batch_first=True)
        self.levels = nn.Sequential(
            nn.Linear(units + 192, 256), nn.ReLU(), nn.Linear(256, MU_LAW_LEVELS)
        )

    def heard(self, sound: Tensor) -> Tensor:
        """Return `(batch, frames, 192)`."""
        return self.frames(self.mel(sound)).transpose(1, 2)

    def loss(self, sound: Tensor) -> Tensor:
        levels = mu_law(LOUDER * emphasised(sound))
        heard = self.heard(sound).repeat_interleave(self.hop, dim=1)
        before = F.pad(levels, (1, 0), value=MU_LAW_LEVELS // 2)[:, :-1, None]
        said, _ = self.memory(torch.cat([heard, before * (2 / MU_LAW_LEVELS) - 1], dim=2))
        scores = self.levels(torch.cat([said, heard], dim=2)).float()
        return F.cross_entropy(scores.flatten(0, 1), levels.flatten())

    def say(self, sound: Tensor) -> np.ndarray:
        heard, memory = self.heard(sound), self.memory
        cell = nn.GRUCell(memory.input_size, memory.hidden_size, device=sound.device)
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in memory.state_dict().items()})
        state = heard.new_zeros(len(sound), memory.hidden_size)
        level = torch.full((len(sound),), MU_LAW_LEVELS // 2, device=sound.device)
        said = []
        for place in range(heard.shape[1] * self.hop):
            now = heard[:, place // self.hop]
            before = (level * (2 / MU_LAW_LEVELS) - 1)[:, None]
            state = cell(torch.cat([now, before], dim=1), state)
            scores = self.levels(torch.cat([state, now], dim=1))
            level = torch.multinomial(F.softmax(scores * SURER, dim=1), 1)[:, 0]
            said.append(level)
        return as_it_was(from_mu_law(torch.stack(said, dim=1)) / LOUDER)


def mu_law(sound: Tensor) -> Tensor:
    """Return levels from 0 to 1023 of samples between -1 and 1."""
    top = MU_LAW_LEVELS - 1
    pressed = sound.sign() * torch.log1p(top * sound.abs().clamp_max(1)) / math.log(top + 1)
    return ((pressed + 1) / 2 * top + 0.5).long()


def from_mu_law(levels: Tensor) -> Tensor:
    """Undo `mu_law`, but for its rounding."""
    top = MU_LAW_LEVELS - 1
    pressed = levels / top * 2 - 1
    return pressed.sign() * torch.expm1(pressed.abs() * math.log(top + 1)) / top


KINDS = {
    "vocos": Vocos,
    "parallel_wavegan": ParallelWaveGAN,
    "flow_matching": FlowMatching,
    "wavernn": WaveRNN,
    "neural_codec": NeuralCodec,
}


@torch.no_grad()
def say(network: nn.Module, sound: Tensor) -> np.ndarray:
    """Resynthesize sounds: float32 `(batch, samples)` to the same."""
    if hasattr(network, "say"):
        return network.say(sound)
    return network(sound).float().cpu().numpy()


class OfPeriod(nn.Module):
    """Discriminate by samples that are a period apart (Kong et al., "HiFi-GAN", 2020)."""

    def __init__(self, period: int):
        super().__init__()
        self.period = period
        channels = (1, 16, 64, 128, 256)
        self.stages = nn.ModuleList(
            nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0)) for a, b in pairwise(channels)
        )
        self.end = nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, sound: Tensor) -> list[Tensor]:
        x = F.pad(sound, (0, -sound.shape[1] % self.period))
        return judged(x.view(len(x), 1, -1, self.period), self.stages, self.end)


class OfSpectrum(nn.Module):
    """Discriminate by a spectrogram (Jang et al., "UnivNet", 2021)."""

    def __init__(self, fft: int):
        super().__init__()
        self.fft = fft
        self.register_buffer("window", torch.hann_window(fft), persistent=False)
        shapes = ((1, 24, (1, 1)), (24, 24, (2, 1)), (24, 32, (2, 2)), (32, 32, (2, 2)))
        self.stages = nn.ModuleList(
            nn.Conv2d(a, b, (9, 3), strides, (4, 1)) for a, b, strides in shapes
        )
        self.end = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, sound: Tensor) -> list[Tensor]:
        x = magnitudes(sound, self.fft, self.fft // 4, self.window)[:, None]
        return judged((x + 1e-4).log(), self.stages, self.end)


def judged(x: Tensor, stages: Iterable[nn.Module], end: nn.Module) -> list[Tensor]:
    """Return the output of each stage; the last classifies each region as real (1) or fake (0)."""
    seen = []
    for stage in stages:
        x = F.leaky_relu(stage(x), 0.1)
        seen.append(x)
    return [*seen, end(x)]
