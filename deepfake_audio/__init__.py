"""Is this voice real or fake? Detection of synthetic speech with small neural networks.

    import deepfake_audio

    detector = deepfake_audio.Detector.pretrained()
    result = detector.predict("call.wav")
    print(result.verdict, result.confidence, [reason.text for reason in result.reasons])

Importing the package loads nothing else, and using it prints nothing.
"""

import logging
import os
import warnings
from importlib import import_module

__version__ = "0.2.0"

_HOME_OF = {
    "Detector": "detector",
    "Failure": "inference.inputs",
    "InputError": "errors",
    "OutputError": "errors",
    "Part": "inference.inputs",
    "PartVerdict": "inference.reasons",
    "Passage": "inference.passages",
    "Quality": "inference.recording_quality",
    "Reason": "inference.reasons",
    "Result": "inference.result",
    "Timeline": "inference.timelines",
    "Verdict": "vocabulary",
    "Window": "inference.inputs",
}
__all__ = ["__version__", *_HOME_OF]

logging.getLogger(__name__).addHandler(logging.NullHandler())
# Libraries read these when they are imported, in this process and in its workers.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime would report each start to its makers
os.environ.setdefault("KERAS_HOME", os.devnull)  # ~/.keras must not change the settings
# Without semaphores joblib works in one process, as --workers 1 does anyway.
warnings.filterwarnings("ignore", ".*joblib will operate in serial mode", UserWarning)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
