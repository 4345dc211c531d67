from pathlib import Path
from types import SimpleNamespace

from benchmarks import bench_prepare
from conftest import ROOT
from deepfake_audio.dataset.journal import is_complete

CLIPS = sorted((ROOT / "data" / "sample" / "audio").glob("real_*.flac"))[:2]


def images_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*.png"))]


def test_both_renderings_make_as_many_images_as_librosa(tmp_path):
    ways = (bench_prepare.ours, bench_prepare.prepare_clip, bench_prepare.librosa_and_opencv)
    folders = [tmp_path / way.__name__ for way in ways]
    for way, folder in zip(ways, folders, strict=True):
        folder.mkdir()
        assert way(CLIPS[0], folder) == len(images_of(folder)) > 0
    ours, prepared, librosa = map(images_of, folders)
    assert ours == prepared
    assert len(librosa) == len(ours)


def test_one_and_two_processes_are_timed_without_the_files_that_start_them(monkeypatch):
    rendered, really_render_all = [], bench_prepare.render_all

    def render_all_and_note(jobs, rendering, workers):
        entries = really_render_all(jobs, rendering, workers)
        images = {path.name for path in rendering.folder.rglob("*.png")}
        rendered.append((workers, len(entries), all(map(is_complete, entries.values())), images))
        return entries

    seconds = iter((0, 6, 10, 12))
    monkeypatch.setattr(bench_prepare, "render_all", render_all_and_note)
    monkeypatch.setattr(bench_prepare, "time", SimpleNamespace(perf_counter=seconds.__next__))
    monkeypatch.setattr(bench_prepare, "STARTING_FILES", 2)
    assert bench_prepare.processes_ratio(CLIPS, files=6) == 6 / 2
    assert [each[:3] for each in rendered] == [(w, n, True) for w in (1, 2) for n in (2, 4)]
    assert rendered[1][3] == rendered[3][3]
    assert {name.partition("_")[0] for name in rendered[1][3]} == set("012345")
