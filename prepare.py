"""Turn audio into the spectrogram images that train.py takes, or split images of your own.

    python prepare.py my_audio --name mine                    folders real/ and fake/
    python prepare.py LA --corpus asvspoof2019 --name asv19   a public corpus, in its own layout
    python prepare.py DF --corpus asvspoof2021-df --subset eval
    python prepare.py my_audio prepare.max_windows=4          any setting of config.yaml
    python prepare.py my_images                               images in folders real/ and fake/
    python prepare.py my_audio --name mine --shard 1/8        an eighth of the files; see join.py

my_audio contains real/ and fake/ (or train/real, val/fake or real/train etc.) with wav, flac, mp3,
ogg, opus, m4a, aac, amr, webm or mp4 files. A table my_audio/labels.csv with the columns file,label
and optionally speaker, sentence, split, attack says more: no speaker gets into two splits; if
speakers are unknown, no sentence does. Folders and labels may also be human and AI, or bonafide and
spoof, in any case. Images are copied. Those of one folder, or with names that differ only in the
last number, stay in one split if there are many such groups (prepare.image_groups).

Writes data/<name>/{train,val,test}/{fake,real}/*.png, manifest.csv, report.txt, and errors.csv with
the files that could not be used. Given again, the command continues where it was interrupted, or
adds the files that are new in the corpus. Another corpus or subset needs another --name.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from deepfake_audio.cli.arguments import Parser, add_name_option, add_settings_arguments
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.training import check_packages
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.corpora.known_corpora import CORPORA
from deepfake_audio.corpora.reading import SUBSETS, Corpus, read_corpus
from deepfake_audio.dataset.data_folder import open_data_folder
from deepfake_audio.dataset.preparation import Prepared, build_dataset
from deepfake_audio.dataset.preparation_report import write_report
from deepfake_audio.dataset.shard_folders import prepare_shard
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.models.run_folder import Run
from deepfake_audio.system.atomic_files import folder_lock
from deepfake_audio.system.regular_files import is_file
from deepfake_audio.system.shards import to_shard
from deepfake_audio.vocabulary import JOURNAL, LABELS


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    settings = load_settings(args.config, args.settings)
    if settings.prepare.conditions:
        check_packages(["pyroomacoustics"])  # of the rooms
    audio = Path(args.audio)
    corpus = read_corpus(audio, args.corpus, args.subset)
    folder = Path("data", args.name or default_name(corpus, audio))
    if args.shard:
        text, is_complete = prepare_shard(folder, args.shard, corpus, audio, settings)
        print_lines(text)
        return EXIT_OK if is_complete else EXIT_SOME_FAILED
    origin = open_data_folder(folder, settings, corpus, audio)
    with folder_lock(folder / JOURNAL, "Preparing"):
        prepared = build_dataset(folder, corpus, origin, settings)
        print_lines(write_report(folder, prepared, settings.prepare, settings.image))
    print_lines(one_line(f"Next: {next_command(folder, settings, args.config, prepared)}"))
    return EXIT_OK if prepared.is_complete else EXIT_SOME_FAILED


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="prepare.py", description=__doc__)
    parser.add_argument("audio", metavar="FOLDER", help="the folder of audio, or of a corpus")
    add_settings_arguments(parser)
    add_name_option(parser, "of the folder below data/ (default: that of the corpus)")
    parser.add_argument(
        "--corpus", choices=sorted(CORPORA), help="layout of the corpus (default: detected)"
    )
    parser.add_argument("--subset", choices=SUBSETS, help="of ASVspoof 2021; figures use eval")
    parser.add_argument(
        "--shard", metavar="K/N", type=to_shard,
        help="prepare part K of N, from 1/N to N/N, into data/NAME.K-of-N; join.py joins them",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="a YAML file with settings that differ")
    args = parser.parse_intermixed_args(argv)
    if args.name and (Path(args.name).name != args.name or args.name in (".", "..")):
        raise InputError(f"--name {args.name!r} is a path; give the name of a folder in data/")
    return args


def default_name(corpus: Corpus, audio: Path) -> str:
    """Return the name of a public corpus and its subset, else the name of the audio's folder."""
    if corpus.name != "folders":
        return f"{corpus.name}-{corpus.subset}" if corpus.subset else corpus.name
    name = audio.resolve().name or corpus.name
    return f"{name}-images" if Path("data", name).resolve() == audio.resolve() else name


def next_command(folder: Path, settings: Settings, config: str | None, prepared: Prepared) -> str:
    """Return the command that trains on a data folder, or evaluates on it.

    After the settings of a run, training continues from that run.

    Args:
        folder: the data folder.
        settings: that it was made with.
        config: the settings file on the command line.
        prepared: training needs images of both classes in train and val.
    """
    found = {(job.split, job.clip.label) for job in prepared.rendered}
    if any((split, label) not in found for split in ("train", "val") for label in LABELS):
        return shlex.join(["python", "evaluate.py", "--data", str(folder)])
    channels = settings.image.channels
    words = [] if channels == "grayscale" else [f"image.channels={channels}"]
    chosen = ["--config", config] if config else words
    if config and is_file(Run(Path(config).parent).keras_model):
        chosen = ["--from", str(Path(config).parent)]
    return shlex.join(["python", "train.py", *chosen, f"data.folder={folder}"])


if __name__ == "__main__":
    sys.exit(main())
