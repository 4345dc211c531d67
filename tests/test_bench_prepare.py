from pathlib import Path

from benchmarks import bench_prepare
from conftest import ROOT

CLIPS = sorted((ROOT / "data" / "sample" / "audio").glob("real_*.flac"))[:2]


def images_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*.png"))]


def test_both_ways_to_draw_give_what_librosa_gives_as_many(tmp_path):
    ways = (bench_prepare.ours, bench_prepare.prepare_clip, bench_prepare.librosa_and_opencv)
    folders = [tmp_path / way.__name__ for way in ways]
    for way, folder in zip(ways, folders, strict=True):
        folder.mkdir()
        assert way(CLIPS[0], folder) == len(images_of(folder)) > 0
    ours, prepared, librosa = map(images_of, folders)
    assert ours == prepared
    assert len(librosa) == len(ours)


def test_the_processes_are_timed(monkeypatch):
    monkeypatch.setattr(bench_prepare, "STARTING_FILES", 2)
    assert bench_prepare.processes_ratio(CLIPS, files=6) > 0
