import pytest

import prepare
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.errors import InputError

DASHES = "; -- stands before names that begin with a dash"


def error_of(*args: str) -> str:
    with pytest.raises(InputError) as caught:
        prepare.parse_arguments(args)
    return str(caught.value)


def test_only_what_is_required_is_asked_for():
    assert error_of() == (
        "A command line must be understood. Received: the following arguments are required: "
        "FOLDER. python prepare.py --help shows it."
    )
    assert prepare.parse_arguments(["mine"]).settings == []


def test_words_may_stand_before_and_behind_options():
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
def test_what_two_dashes_do_is_said_where_a_word_begins_with_one(args, told):
    assert (DASHES in error_of(*args)) == told


def test_the_command_line_of_the_process_is_taken_where_none_is_given(monkeypatch):
    monkeypatch.setattr("sys.argv", ["prepare.py", "--wrong"])
    with pytest.raises(InputError, match=DASHES):
        Parser("prepare.py", "").parse_args()
