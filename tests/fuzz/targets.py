"""What is changed: for each reader its files, and those that it needs beside them."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from deepfake_audio.dataset.journal import QUALITY_MEASURES
from deepfake_audio.dataset.provenance import AUDIO_SETTINGS, write_audio_settings
from deepfake_audio.models import run_creation
from deepfake_audio.vocabulary import JOURNAL

from . import readers
from .binary_seeds import hdf5_seed, image_seeds, model_seeds, sound_seeds, weights_seeds

ROOT = Path(__file__).resolve().parents[2]
BESIDE = {  # files that a target's reader needs beside the changed one
    "protocol": {"a.wav": b"RIFF", "b.wav": b"RIFF"},
    "scores": {"keys.tsv": b"filename cm-label\na bonafide\nb spoof\n"},
    "keys": {"scores.txt": b"a 1.5\nb -2\n"},
}


def text_seeds(name: str, *texts: str) -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for text in texts]


def record_seed() -> bytes:
    record = run_creation.new_record(readers.SETTINGS, "data", images_from_audio=True)
    return record.model_dump_json(indent=1).encode()


def history_seed() -> str:
    rows = [f"{epoch},0.5,0.8,0.6,0.7,0.001" for epoch in (1, 2)]
    return "\n".join(["epoch,loss,accuracy,val_loss,val_accuracy,learning_rate", *rows, ""])


def journal_seed() -> str:
    nuisances = dict.fromkeys(QUALITY_MEASURES, 0.5) | {"format": ".wav"}
    drawn = {"key": "a|1", "stem": "a", "starts": [0.0, 1.5], "nuisances": nuisances}
    return "".join(json.dumps(each) + "\n" for each in (drawn, {"key": "b|1", "error": "none"}))


def audio_settings_seed() -> str:
    with tempfile.TemporaryDirectory() as folder:
        write_audio_settings(Path(folder), readers.SETTINGS.audio)
        return Path(folder, AUDIO_SETTINGS).read_text()


TARGETS: dict[str, tuple[Callable[[Path], object], list[tuple[str, bytes]]]] = {
    "image": (readers.fuzz_image, image_seeds()),
    "sound": (readers.fuzz_sound, sound_seeds()),
    "protocol": (
        readers.fuzz_protocol,
        text_seeds("labels.csv", "file,label,speaker,split\na.wav,real,ann,train\nb.wav,fake,,\n")
        + text_seeds(
            "ASVspoof2019.LA.cm.train.trn.txt", "LA_1 a - - bonafide\nLA_2 b - A01 spoof\n"
        )
        + text_seeds("meta.csv", "file,speaker,label\na.wav,x,spoof\n", "path|model_name\na|m\n"),
    ),
    "manifest": (
        readers.fuzz_manifest,
        text_seeds(
            "manifest.csv", "image,label,split,audio\na.png,real,train,a\nb.png,fake,val,b\n"
        ),
    ),
    "scores": (
        readers.fuzz_scores,
        text_seeds(
            "scores.csv",
            "file,split,label,speaker,score,llr\na,test,real,ann,1.5,2\nb,test,fake,,-2,-3\n",
        )
        + text_seeds("cm.txt", "a - bonafide 1.5\nb A01 spoof -2\n", "a 1.5\nb -2\n")
        + text_seeds("cm.tsv", "filename\tcm-score\na\t1.5\nb\t-2\n")
        + text_seeds("verdicts.csv", "verdict,file,score\nREAL,x/a.wav,1.5\nFAKE,b.wav,-2\n"),
    ),
    "keys": (
        readers.fuzz_keys,
        text_seeds(
            "keys.txt",
            "filename cm-label\na bonafide\nb spoof\n",
            "LA_1 a - - bonafide\nLA_1 b - A01 spoof\n",
            "LA_1 a alaw ita_tx - bonafide notrim eval\nLA_1 b alaw ita_tx A07 spoof notrim eval\n",
            "E_1 a M - - - bonafide - bonafide -\nE_1 b F C01 - - AC1 A17 spoof -\n",
        ),
    ),
    "asv": (
        readers.fuzz_asv_scores,
        text_seeds("asv.txt", "- target 4.6\n- nontarget -2.5\nA07 spoof 1.5\n"),
    ),
    "history": (readers.fuzz_history, text_seeds("history.csv", history_seed())),
    "journal": (readers.fuzz_journal, text_seeds(JOURNAL, journal_seed())),
    "audio.yaml": (readers.fuzz_audio_settings, text_seeds(AUDIO_SETTINGS, audio_settings_seed())),
    "weights": (readers.fuzz_weights, weights_seeds()),
    "hdf5": (readers.fuzz_hdf5, [("weights.h5", hdf5_seed())]),
    "settings": (readers.fuzz_settings, [("mine.yaml", (ROOT / "config.yaml").read_bytes())]),
    "model": (readers.fuzz_model, model_seeds()),
    "record": (readers.fuzz_record, [("run.json", record_seed())]),
}
