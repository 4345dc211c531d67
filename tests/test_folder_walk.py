"""Both scripts find the same files below a folder with links."""

import os
from collections import Counter
from pathlib import Path

import pytest

import prepare
from deepfake_audio.cli.fakes import read_clips
from deepfake_audio.corpora.index import index_tree
from deepfake_audio.inference.listing import FileList
from deepfake_audio.system.folder_walk import LINKED_FOLDER, find_files, walk_folder
from test_corpora import put_audio
from test_prepare import ONE_PROCESS, make_audio

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need special rights there")
FOUND = ["b/1.wav", "b/gone.wav", "b/one.wav", "linked/2.wav", "linked/deep/3.wav"]
NOT_ENTERED = ["b/again", "b/root", "b/up", "linked/home", "twice"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with links to files, to folders elsewhere, to its parents and to nothing."""
    root = tmp_path / "corpus"
    put_audio(tmp_path, "beside/x.wav", "elsewhere/2.wav", "elsewhere/deep/3.wav")
    put_audio(root, "b/1.wav", ".hidden/y.wav")
    for name, target in {
        "b/again": ".", "b/up": "../..", "b/root": "/", "b/gone.wav": "nowhere",
        "b/one.wav": "1.wav", "linked": "../elsewhere", "twice": "../elsewhere",
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    (tmp_path / "elsewhere" / "home").symlink_to(root)
    return root


def names(paths, root: Path) -> list[str]:
    return [Path(path).relative_to(root).as_posix() for path in paths]


def test_a_walk_ends_and_reports_the_links_that_it_does_not_enter(tree):
    found = list(walk_folder(tree))
    assert [name for name, kind, _ in found if kind != LINKED_FOLDER] == FOUND
    assert sorted(name for name, kind, _ in found if kind == LINKED_FOLDER) == NOT_ENTERED


def test_a_walk_in_a_linked_root_finds_the_same(tree):
    (tree.parent / "link").symlink_to(tree)
    assert names(find_files(tree.parent / "link", {".wav"}), tree.parent / "link") == FOUND


def test_prediction_and_preparation_find_the_same_files(tree):
    listing = FileList(images_from_audio=True)
    assert names(listing.expand([str(tree)]), tree) == FOUND
    assert listing.skipped == Counter({"linked folders": len(NOT_ENTERED)})
    index = index_tree(tree)
    assert (index.audio, index.not_entered) == (sorted(FOUND), NOT_ENTERED)


def test_a_folder_has_its_own_name_even_if_a_link_comes_first(tmp_path):
    put_audio(tmp_path, "z/1.wav")
    (tmp_path / "a").symlink_to("z")
    assert names(find_files(tmp_path, {".wav"}), tmp_path) == ["z/1.wav"]


def test_prepare_and_make_fakes_report_links_that_are_not_entered(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_audio(tmp_path / "elsewhere")
    Path("mine").mkdir()
    for label in ("fake", "real"):
        Path("mine", label).symlink_to(tmp_path / "elsewhere" / label)
    Path("mine/up").symlink_to("..")
    assert prepare.main(["mine", "prepare.max_windows=1", *ONE_PROCESS]) == 0
    line = (
        "1 linked folder not entered, since they lead to a parent folder or to one that was read "
        "already: up\n"
    )
    assert line in capsys.readouterr().out
    assert len(read_clips(Path("mine"), None, whole=False)) == 16
    assert "up is not entered: it links to a parent folder" in capsys.readouterr().out
