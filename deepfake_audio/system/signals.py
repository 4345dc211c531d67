"""Ctrl-C, SIGTERM and SIGHUP end a script, even if Python or a library swallows the exception.

Batch systems and `timeout` send SIGTERM; a closed terminal sends SIGHUP.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN_SECONDS = 0.1
TERMINATION_SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
]
ENDING_SIGNALS = {signal.SIGINT, *TERMINATION_SIGNALS}

_pressed = threading.Event()  # set by a signal; cleared when `interrupts_raised` ends


@contextmanager
def interrupts_raised() -> Iterator[threading.Event]:
    """Yield an event that a termination signal sets; raise the interrupt again if it got lost.

    `KeyboardInterrupt` can't leave a `__del__` or a callback of C code: Python reports it as
    ignored and goes on, so a timer raises it again. Libraries turn an interrupt during an import
    into an `ImportError`; the caller checks the event to recognise it. Errors of other threads
    after the signal are not printed. The event is never set outside the main thread, or if Ctrl-C
    is ignored or has another handler.

    A bare `except` swallows the exception without a report: see `raise_lost_interrupt`.
    """
    handled = [
        number for number in TERMINATION_SIGNALS if signal.getsignal(number) == signal.SIG_DFL
    ]
    # Background jobs of a shell ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        handled.append(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not handled:
        yield threading.Event()
        return
    outer_handlers = {number: signal.signal(number, _press) for number in handled}
    try:
        with _hooks():
            yield _pressed
    finally:
        for number, handler in outer_handlers.items():
            signal.signal(number, handler)
        _pressed.clear()


def _press(number: int, frame: object) -> None:
    _pressed.set()
    signal.default_int_handler(number, frame)


@contextmanager
def _hooks() -> Iterator[None]:
    """Raise an interrupt again that Python ignored, and drop errors of threads after a signal."""
    outer_hook, outer_thread_hook = sys.unraisablehook, threading.excepthook
    timers: list[threading.Timer] = []

    def press_again(ignored: "sys.UnraisableHookArgs") -> None:
        if ignored.exc_type is not KeyboardInterrupt:
            outer_hook(ignored)
            return
        timers.append(threading.Timer(AGAIN_SECONDS, _interrupt_main_thread))
        timers[-1].daemon = True
        timers[-1].start()

    def tell(failed: threading.ExceptHookArgs) -> None:
        if not _pressed.is_set():
            outer_thread_hook(failed)

    sys.unraisablehook, threading.excepthook = press_again, tell
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook, threading.excepthook = outer_hook, outer_thread_hook


def raise_lost_interrupt() -> None:
    """Raise an interrupt again that a library swallowed; a loop of a library calls this.

    Keras has a bare `except` around the logs of each batch, and around the files that it writes.
    """
    if _pressed.is_set():
        raise KeyboardInterrupt


def _interrupt_main_thread() -> None:
    """Send SIGINT to the main thread, which handles it at once even if it waits."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
