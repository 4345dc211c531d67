"""What the scripts share: settings, audio to image, data, feed, scores, plots, run folders."""

import os
import warnings

# Libraries read these when they are imported, here and in the processes that start from here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reports each start to its makers
os.environ.setdefault("KERAS_HOME", os.devnull)  # config.yaml alone decides, not ~/.keras
# Without semaphores one process does all, as --workers 1 asks for anyway.
warnings.filterwarnings("ignore", ".*joblib will operate in serial mode", UserWarning)
