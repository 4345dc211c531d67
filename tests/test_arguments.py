import pytest

import calibrate
import combine
import evaluate
import make_fakes
import predict
import prepare
import train
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.errors import InputError

DASHES = "; write -- before names that begin with a dash"


def error_of(*args: str) -> str:
    with pytest.raises(InputError) as caught:
        prepare.parse_arguments(args)
    return str(caught.value)


def test_the_folder_is_needed_and_settings_are_not():
    assert error_of() == "missing argument FOLDER (see prepare.py --help)"
    assert prepare.parse_arguments(["mine"]).settings == []


def test_settings_can_come_before_and_after_options():
    args = prepare.parse_arguments(["mine", "--name", "a", "audio.trim_db=0"])
    assert (args.audio, args.settings) == ("mine", ["audio.trim_db=0"])


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), False),
        (("mine", "--corpus", "any"), False),
        (("mine", "--corpus=any"), False),
        (("mine", "--nane", "a"), True),
        (("-mine",), True),
        (("mine", "--name", "-a"), True),
    ],
)
def test_two_dashes_are_recommended_if_a_word_begins_with_a_dash(args, told):
    assert (DASHES in error_of(*args)) == told


def test_the_arguments_of_the_process_are_the_default(monkeypatch):
    monkeypatch.setattr("sys.argv", ["prepare.py", "--wrong"])
    with pytest.raises(InputError, match=DASHES):
        Parser("prepare.py", "").parse_args()


@pytest.mark.parametrize("parse", [train.parse_arguments, evaluate.parse_arguments])
@pytest.mark.parametrize(
    "args",
    [
        ["predict.prior_fake=0.1", "score.threads=1"],
        ["--set", "predict.prior_fake=0.1", "--set", "score.threads=1"],
        ["--set", "predict.prior_fake=0.1", "--config", "a.yaml", "score.threads=1"],
    ],
)
def test_settings_are_words_or_follow_set(parse, args):
    if parse is evaluate.parse_arguments:
        args = ["first" if arg == "a.yaml" else arg.replace("--config", "--run") for arg in args]
    assert parse(args).settings == ["predict.prior_fake=0.1", "score.threads=1"]


@pytest.mark.parametrize("script", [train, combine])
@pytest.mark.parametrize("option", ["--name", "--run"])
def test_name_is_the_new_run_and_its_old_spelling_is_accepted(script, option):
    args = ["first", "second"] if script is combine else []
    assert script.parse_arguments([*args, option, "mine"]).run == "mine"


@pytest.mark.parametrize("option", ["--real-only", "--reals"])
def test_calibrate_takes_only_real_files_by_the_present_and_the_earlier_option(option):
    assert calibrate.parse_arguments(["--data", "data/known", option]).real_only
    assert not calibrate.parse_arguments(["--data", "data/known"]).real_only


def test_the_help_of_calibrate_shows_only_the_present_option(capsys):
    with pytest.raises(SystemExit):
        calibrate.parse_arguments(["--help"])
    shown = capsys.readouterr().out
    assert ("--real-only" in shown, "--reals" in shown) == (True, False)


@pytest.mark.parametrize(
    ("script", "args", "message"),
    [
        (
            evaluate,
            ["--scores", "a.csv", "--missing", "1_0"],
            "--missing '1_0' is not a number; give a number, such as 0.5",
        ),
        (
            calibrate,
            ["--data", "known", "--false-alarms", "5%"],
            "--false-alarms '5%' is not a number; give a number, such as 0.5",
        ),
        (
            make_fakes,
            ["voices", "--files", "1.5"],
            "--files '1.5' is not a number; give a whole number in digits, such as 3",
        ),
        (
            predict,
            ["a.wav", "--channel", "left"],
            "--channel 'left' is not a number; give a whole number in digits, such as 3",
        ),
    ],
)
def test_an_option_with_no_number_names_option_value_and_remedy(script, args, message):
    with pytest.raises(InputError) as caught:
        script.parse_arguments(args)
    assert str(caught.value) == message


@pytest.mark.parametrize("number", ["1_0", "\u0661", " 2", "0x2", "1e1", "2.0", "9" * 30])
def test_a_whole_number_has_plain_digits_only(number, capsys):
    assert predict.main(["--workers", number, "a.wav"]) == 2
    assert "is not a number; give a whole number in digits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--csv", "z.html", "--report", "z.html"], "--report z.html is the place of --csv too"),
        (["--csv", "z", "--report", "./z"], "--csv z is the place of --report too"),
        (["--csv", "z", "--segments", "z/"], "--csv z is the place of --segments too"),
        (["--csv", "timelines/a.csv", "--timeline"], "--csv timelines/a.csv is in the folder of"),
    ],
)
def test_two_outputs_of_one_place_are_refused_before_any_work(words, reason, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=reason):
        predict.parse_arguments([*words, "a.wav"])
    assert predict.parse_arguments(["--segments", "out", "--report", "out", "a.wav"])


@pytest.mark.parametrize("words", [["--segments", "seg"], ["--report", "call.html"]])
def test_a_file_without_a_name_is_not_taken_for_the_working_folder(words):
    assert predict.parse_arguments([*words, ""]).files == [""]


@pytest.mark.parametrize("option", ["--board", "--report", "--segments"])
def test_an_output_without_a_name_is_refused(option, capsys):
    assert predict.main(["a.wav", option, ""]) == 2
    assert (
        capsys.readouterr().err == f"error: {option} has an empty name; name a file or a folder\n"
    )
