"""Ctrl-C ends a script, though it falls where Python or a library swallows it or renames it.

So do SIGTERM and SIGHUP, as a batch system, `timeout` or a closed terminal send them.
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


@contextmanager
def interrupts_raised() -> Iterator[threading.Event]:
    """Yield what is set once Ctrl-C was pressed, and raise it again if a finaliser lost it.

    `KeyboardInterrupt` can't leave a `__del__` or a callback of C code: Python reports it as
    ignored, and the script would run on. And libraries make an `ImportError` of one that falls into
    an import; who catches that looks at the event. What then fails in another thread, whose work is
    taken away, is not told. Where something else listens to Ctrl-C, or it is ignored, or this is no
    main thread, the event is never set.
    """
    pressed = threading.Event()
    outer_handler = signal.getsignal(signal.SIGINT)
    outer_hook, outer_thread_hook = sys.unraisablehook, threading.excepthook
    heard = [number for number in TERMINATION_SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    if outer_handler is signal.default_int_handler:  # in a shell's background it is ignored
        heard.append(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not heard:
        yield pressed
        return

    timers: list[threading.Timer] = []

    def press(number: int, frame: object) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    def press_again(ignored: "sys.UnraisableHookArgs") -> None:
        if ignored.exc_type is not KeyboardInterrupt:
            outer_hook(ignored)
            return
        timers.append(threading.Timer(AGAIN_SECONDS, _interrupt_main_thread))
        timers[-1].daemon = True
        timers[-1].start()

    def tell(failed: threading.ExceptHookArgs) -> None:
        if not pressed.is_set():
            outer_thread_hook(failed)

    outer_handlers = {number: signal.signal(number, press) for number in heard}
    sys.unraisablehook, threading.excepthook = press_again, tell
    try:
        yield pressed
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook, threading.excepthook = outer_hook, outer_thread_hook
        for number, handler in outer_handlers.items():
            signal.signal(number, handler)


def _interrupt_main_thread() -> None:
    """Press Ctrl-C once more; the main thread hears it at once, even where it waits."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
