"""Open a page in the browser that judges recordings, and a REST service for programs.

    python serve.py                             http://127.0.0.1:8000, only for this machine
    python serve.py --open                      also open the page in the browser
    python serve.py --port 9000 --workers 2     judge two recordings at a time
    python serve.py --run runs/first            with runs/first instead of the newest run
    python serve.py --host 0.0.0.0 --token SECRET --allow-host judge.example.org    for a network

    curl -F file=@call.wav http://127.0.0.1:8000/api/v1/predict

Recordings are judged on this machine, and nothing is stored: the file of each request is removed
with its answer. docs/service.md describes the page, the REST service and its security. Ctrl-C or
SIGTERM ends the service after the recordings that are being judged; a second one ends it at once.
"""

import argparse
import os
import re
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress

from deepfake_audio.cli.arguments import Parser, add_run_option, add_set_option, check_least
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.script import EXIT_OK, script
from deepfake_audio.errors import InputError
from deepfake_audio.models.run_search import open_run
from deepfake_audio.service.app import Options, make_app
from deepfake_audio.service.server import address_of, open_socket, serve
from deepfake_audio.system.workers import count_cores

TOKEN_VARIABLE = "DEEPFAKE_AUDIO_TOKEN"
LOCAL = ("127.0.0.1", "::1", "localhost")


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    overrides = thread_settings(args.settings, args.workers)
    opened = open_run(args.run, overrides=overrides, or_pretrained=True)
    options = Options(
        overrides=overrides,
        workers=args.workers or count_cores(),
        queue=args.queue,
        timeout_seconds=args.timeout,
        max_megabytes=args.max_megabytes or opened.settings.limits.stdin_megabytes,
        hosts=[*args.allow_host, args.host],
        token=args.token or "",
    )
    app = make_app(opened, options)
    with open_socket(args.host, args.port) as listening:
        address = address_of(listening)

        def announce() -> None:
            print_lines(f"Open {address} in a browser. Ctrl-C ends the service.")
            if not options.token and args.host not in LOCAL:
                print_lines(
                    "Other machines can judge recordings here too; --token asks them for a token.",
                    sys.stderr,
                )
            if args.open:
                webbrowser.open(address)

        with suppress(KeyboardInterrupt):  # the signal that ended the service
            serve(app, listening, announce)
    return EXIT_OK


def thread_settings(settings: Sequence[str], workers: int) -> list[str]:
    """Return settings that share the processor among several workers, unless they name threads."""
    cores = count_cores()
    threads = max(1, cores // (workers or cores))
    return [f"score.threads={threads}", *settings] if workers != 1 else [*settings]


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="serve.py", description=__doc__)
    add_network_options(parser)
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N",
        help="processes that judge; 0 takes one for each core (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--queue", type=int, default=32, metavar="N",
        help="maximum number of recordings that wait for a worker (default: 32)",
    )  # fmt: skip
    add_run_option(parser, "as in predict.py")
    add_set_option(parser)
    parser.add_argument(
        "--max-megabytes", type=float, metavar="N",
        help="largest recording (default: limits.stdin_megabytes of config.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=float, default=3600, metavar="SECONDS",
        help="longest time to judge one recording (default: 3600)",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    args = parser.parse_args(argv)
    check_arguments(args)
    return args


def add_network_options(parser: Parser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on (default: 127.0.0.1, which only this machine reaches)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="0 takes any free port (default: 8000)"
    )
    parser.add_argument(
        "--token", metavar="TOKEN", default=os.environ.get(TOKEN_VARIABLE),
        help=f"requests must carry this token; better in the variable {TOKEN_VARIABLE}, since other"
        " users see command lines",
    )  # fmt: skip
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="another name or address that browsers call the service by; may be repeated",
    )  # fmt: skip


def check_arguments(args: argparse.Namespace) -> None:
    """Raise an `InputError` for numbers out of range, and for a token that protects nothing."""
    check_least(args, {"workers": 0, "queue": 0, "timeout": 1, "max_megabytes": 0.001})
    if not 0 <= args.port <= 65535:
        raise InputError(f"--port {args.port} is no port; give 0 to 65535")
    if args.token is not None and not re.fullmatch("[!-~]+", args.token):
        raise InputError(
            f"--token or {TOKEN_VARIABLE} is empty, or has characters that no header can carry; "
            "give ASCII letters, digits and signs without spaces"
        )


if __name__ == "__main__":
    sys.exit(main())
