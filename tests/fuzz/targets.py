"""What is changed: for each reader its files, and those that it needs beside them."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from deepfake_audio.dataset.journal import QUALITY_MEASURES
from deepfake_audio.dataset.provenance import (
    AUDIO_SETTINGS,
    ORIGIN,
    FileCounts,
    Origin,
    write_audio_settings,
)
from deepfake_audio.dataset.shard_folders import RECORD as FOLDER_RECORD
from deepfake_audio.dataset.shard_folders import FolderRecord
from deepfake_audio.inference.shard_tables import ShardRecord
from deepfake_audio.inference.table_rows import FIELDS, SHARD_FIELDS, STATE
from deepfake_audio.models import run_creation
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.quality_correction import DEGRADATIONS, QualityCorrection
from deepfake_audio.system.shards import Shard
from deepfake_audio.vocabulary import JOURNAL

from . import readers
from .binary_seeds import (
    hdf5_seed,
    image_seeds,
    model_seeds,
    sound_seeds,
    track_seeds,
    weights_seeds,
)

ROOT = Path(__file__).resolve().parents[2]
VERDICTS = "\n".join(
    [
        ",".join([*FIELDS, STATE]),
        f"REAL,{',' * (FIELDS.index('file') - 1)}a.wav,,",
        f"FAKE,{',' * (FIELDS.index('file') - 1)}c.wav,,",
        "",
    ]
)
SPOOFCELEB, CODECFAKE = "spoofceleb.corpus", "codecfake.corpus"
PLAIN = ("folders", "2019", "2021", "5", "wild", "eval", "rest")
AUDIO = (
    *(f"{name}.corpus/{file}.wav" for name in PLAIN for file in "ab"),
    "mlaad.corpus/fake/it/m/a.wav", f"{SPOOFCELEB}/flac/train/a00/x/a.flac",
    f"{SPOOFCELEB}/flac/train/a01/x/b.flac", f"{CODECFAKE}/train/F01_a.wav",
    f"{CODECFAKE}/train/a.wav",
)  # fmt: skip
BESIDE = {  # files that a target's reader needs beside the changed one
    "protocol": dict.fromkeys(AUDIO, b"RIFF"),
    "scores": {"keys.tsv": b"filename cm-label\na bonafide\nb spoof\n"},
    "keys": {"scores.txt": b"a 1.5\nb -2\n"},
    "metrics": {"scores.csv": b"file,label,score\n"},
    "shard table": {"table.2-of-2.csv": (",".join(SHARD_FIELDS) + "\n").encode()},
    "shard record": {"table.1-of-2.csv": VERDICTS.encode()},
}


def text_seeds(name: str, *texts: str, encoding: str = "utf-8") -> list[tuple[str, bytes]]:
    return [(name, text.encode(encoding)) for text in texts]


def record_seeds() -> list[tuple[str, bytes]]:
    """Return the record of a new run, and that of one with a correction by quality."""
    record = run_creation.new_record(readers.SETTINGS, "data", images_from_audio=True)
    some = (0.1,) * len(DEGRADATIONS)
    quality = QualityCorrection(1.0, some, 0.9, some, 0.2, some, 0.3)
    ended = {"status": "finished", "best_epoch": 2, "calibration": Calibration(1.1, -0.2, quality)}
    records = (record, record.model_copy(update=ended))
    return [("run.json", each.model_dump_json(indent=1).encode()) for each in records]


def origin_seed() -> str:
    counts = {"train": FileCounts(listed=2, used=1, missing=1, unusable=0, repeated=0)}
    origin = Origin(
        corpus="folders", subset="", folder="/a", marks={"a.wav": "0f"}, val_share=0.2,
        test_share=0.2, counts=counts,
    )  # fmt: skip
    return origin.model_dump_json()


def folder_record_seed() -> str:
    settings = readers.SETTINGS
    record = FolderRecord(
        shard="1/2", version="1", folder="/a", corpus="folders", subset="", audio=settings.audio,
        prepare=settings.prepare,
    )  # fmt: skip
    return record.model_dump_json()


def shard_table_seed() -> str:
    """Return the table of the first of two shards: two verdicts and an error."""
    names = [name for name in map("{}.wav".format, range(9)) if Shard(2, 1).has(name)][:3]
    commas = "," * (FIELDS.index("file") - 1)
    rows = [f"REAL,{commas}{name},,{place}" for place, name in enumerate(names[:2], start=1)]
    return "\n".join([",".join(SHARD_FIELDS), *rows, f",{commas}{names[2]},none,3", ""])


def shard_record_seed() -> str:
    record = ShardRecord(
        shard="1/2", identity="some", made_with={"run": "first"}, listed=3, names="0f",
        table=hashlib.sha256(VERDICTS.encode()).hexdigest(),
    )  # fmt: skip
    return record.model_dump_json()


def history_seed() -> str:
    rows = [f"{epoch},0.5,0.8,0.6,0.7,0.001" for epoch in (1, 2)]
    return "\n".join(["epoch,loss,accuracy,val_loss,val_accuracy,learning_rate", *rows, ""])


def journal_seed() -> str:
    nuisances = dict.fromkeys(QUALITY_MEASURES, 0.5) | {"format": ".wav"}
    rendered = {"key": "a|1", "stem": "a", "starts": [0.0, 1.5], "nuisances": nuisances}
    return "".join(json.dumps(each) + "\n" for each in (rendered, {"key": "b|1", "error": "none"}))


def audio_settings_seed() -> str:
    with tempfile.TemporaryDirectory() as folder:
        write_audio_settings(Path(folder), readers.SETTINGS.audio)
        return Path(folder, AUDIO_SETTINGS).read_text()


TARGETS: dict[str, tuple[Callable[[Path], object], list[tuple[str, bytes]]]] = {
    "image": (readers.fuzz_image, image_seeds()),
    "sound": (readers.fuzz_sound, sound_seeds()),
    "tracks": (readers.fuzz_tracks, track_seeds()),
    "protocol": (
        readers.fuzz_protocol,
        text_seeds(
            "folders.corpus/labels.csv",
            "file,label,speaker,split\na.wav,real,ann,train\nb.wav,fake,,\n",
            "sep=;\nfilename;class;generator;sentence\na.wav;Real;;x\nb.wav;Fake;vits;x\n",
            "File\tLabel\na.wav\tbonafide\nb.wav\tspoof\n",
        )
        + text_seeds(
            "folders.corpus/labels.csv",
            "file;label\na.wav;real\nb.wav;fake\n",
            encoding="utf-16",
        )
        + text_seeds("folders.corpus/labels.json", '{"a.wav": "real", "b.wav": "fake"}')
        + text_seeds("folders.corpus/labels.md", "| path | class |\n|---|---|\n| a.wav | real |\n")
        + text_seeds(
            "2019.corpus/ASVspoof2019.LA.cm.train.trn.txt",
            "LA_1 a - - bonafide\nLA_2 b - A01 spoof\n",
        )
        + text_seeds(
            "2021.corpus/keys/LA/CM/trial_metadata.txt",
            "LA_E_1 LA_E_1 alaw ita_tx - bonafide notrim eval\n"
            "LA_E_2 a alaw ita_tx - bonafide notrim eval\nLA_E_3 b g722 x A07 spoof notrim eval\n",
        )
        + text_seeds(
            "5.corpus/ASVspoof5.train.tsv",
            "E_1 a M - - - bonafide - bonafide -\nE_1 b F C01 - - AC1 A17 spoof -\n",
        )
        + text_seeds(
            "5.corpus/ASVspoof5.train.metainfor.txt",
            "E_1 a M - - bonafide\nE_1 b F - A01 spoof\n",
        )
        + text_seeds("wild.corpus/meta.csv", "file,speaker,label\na.wav,x,spoof\n")
        + text_seeds(
            "mlaad.corpus/fake/it/m/meta.csv",
            "path|original_file|model_name\n./it/a.wav|it_IT/by_book/male/x/b/wavs/c.wav|m\n",
        )
        + text_seeds(
            f"{SPOOFCELEB}/metadata/train.csv",
            "file,speaker,attack\na00/x/a.flac,x,a00\na01/x/b.flac,x,a01\n",
        )
        + text_seeds(f"{CODECFAKE}/label/train.txt", "F01_a.wav fake 1\na.wav real 0\n")
        + text_seeds(
            "eval.corpus/audio-metadata-publish.csv",
            "Filename,Ground Truth,Finetuning Set\na.wav,Real,train\nb.wav,Fake,test\n",
        ),
    ),
    "passages": (
        readers.fuzz_passages,
        text_seeds(
            "passages.csv",
            "file,start_seconds,end_seconds,label\na.wav,0,1.5,real\na.wav,1.5,3,fake\n",
        ),
    ),
    "manifest": (
        readers.fuzz_manifest,
        text_seeds(
            "manifest.csv",
            "image,label,split,audio\na.png,real,train,a\nb.png,fake,val,b\n",
            "Image;Label;Split;Audio;start_seconds;speaker\nx\\a.png;real;train;a;0;ann\n",
        ),
    ),
    "scores": (
        readers.fuzz_scores,
        text_seeds(
            "labelled.csv",
            "file,split,label,speaker,score,llr\na,test,real,ann,1.5,2\nb,test,fake,,-2,-3\n",
            'ID,Score,Label\na,"[-1.0, 2.0]",1\nb,"tensor([1.0, -2.0])",0\n',
            '{"file": "a", "label": "real", "score": 1.5}\n'
            '{"file": "b", "label": "fake", "score": -2}\n',
        )
        + text_seeds("labelled.txt", "my a.wav - bonafide 1.5\nyour b.wav A01 spoof -2\n")
        + text_seeds("labelled.1", "file,label,score\na,1,1.5\nb,0,-2\n")
        + text_seeds("labelled.P", "file;truth;score\na;P;1,5\nb;N;-2\n")
        + text_seeds("logits.1", "file,class_0,class_1\na,0.5,1.5\nb,2,-1\n", "a 0.5 1.5\nb 2 -1\n")
        + text_seeds(
            "logits.0", "a,0.5,1.5\nb,2,-1\n", 'file\tlogits\na\t"[0.5, 1.5]"\nb\t[2 -1]\n'
        )
        + text_seeds("cm.txt", "a - bonafide 1.5\nb A01 spoof -2\n", "a 1.5\nb -2\n", "1 a\n-2 b\n")
        + text_seeds("cm.tsv", "filename\tcm-score\na\t1.5\nb\t-2\n", "# id score\na 1.5\nb -2\n")
        + text_seeds(
            "cm.csv", "a,1.5\nb,-2\n", "sep=;\nFile;Score\na;1,5\nb;-2\n", "a;1,5\nb;-2,0\n"
        )
        + text_seeds(
            "two.csv",
            "file,p_real,p_fake\na,0.9,0.1\nb,0.2,0.8\n",
            "wav|is_fake|prob\na|0|1\nb|1|0\n",
        )
        + text_seeds(
            "cm.json", '{"a": 1.5, "b": -2}', '[{"utt": "a", "llr": 1}, {"utt": "b", "llr": "-2"}]'
        )
        + text_seeds("cm.csv", "file\tscore\na\t1,5\nb\t-2\n", encoding="utf-16")
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
            "E_1 a M - - bonafide\nE_1 b F - A01 spoof\n",
            "ID;Ground Truth;Speaker_ID\na;Human;x\nb;AI-generated;y\n",
            "utt\ttarget\tvocoder\na\tgenuine\t-\nb\tdeepfake\tvits\n",
            "path,is_fake,dataset,phase\nx/a.wav,0,d,eval\nx/b.wav,1,d,eval\n",
            "real,a\nfake,b\n",
            '{"filename": "a", "class": "Real"}\n{"filename": "b", "class": "Fake"}\n',
            '{"a": "bonafide", "b": "spoof"}',
        )
        + text_seeds("keys.1", "file,label\na,1\nb,0\n")
        + text_seeds("keys.P", "name,y\na,P\nb,N\n"),
    ),
    "verdicts": (readers.fuzz_verdicts, text_seeds("verdicts.csv", VERDICTS)),
    "shard table": (readers.fuzz_shard_table, text_seeds("table.1-of-2.csv", shard_table_seed())),
    "shard record": (
        readers.fuzz_shard_record,
        text_seeds("table.1-of-2.json", shard_record_seed()),
    ),
    "names": (
        readers.fuzz_names,
        text_seeds("names.txt", "# some\na b.wav\r\n-\n\nc.wav", "a\nb.wav\0-\0")
        + text_seeds("names.txt", "a.wav\r\nb.wav", encoding="utf-16"),
    ),
    "metrics": (
        readers.fuzz_metrics,
        text_seeds(
            "metrics.json",
            '{"data": "/a", "keys": null, "settings": {}, "splits": {}, "files": ["scores.csv"]}',
            '{"data": "b\\u001b.csv", "subset": "eval", "settings": {}, "splits": {}, "run": "c"}',
        ),
    ),
    "corpus.json": (readers.fuzz_origin, text_seeds(ORIGIN, origin_seed())),
    "shard.json": (readers.fuzz_folder_record, text_seeds(FOLDER_RECORD, folder_record_seed())),
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
    "record": (readers.fuzz_record, record_seeds()),
}
