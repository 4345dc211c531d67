"""What prepare.py says of a corpus: what was left out, and what the splits are good for."""

from pathlib import Path

import prepare
from test_prepare import ONE_PROCESS, workplace

__all__ = ["workplace"]


def test_files_passed_over_are_counted_by_suffix(workplace, capsys):
    for name in ("a.txt", "b.txt", "c.TXT", "d.ape", "voice"):
        Path("mine/real", name).touch()
    assert prepare.main(["mine", *ONE_PROCESS]) == 0
    printed, report = capsys.readouterr().out, Path("data/mine/report.txt").read_text()
    line = "5 files were passed over for their names: 3 .txt, 1 .ape, 1 without suffix\n"
    assert line in printed
    assert ("real/d.ape" in printed, "real/d.ape" in report) == (False, True)
