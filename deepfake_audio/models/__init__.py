"""A trained run: its folder, its network as ONNX, calibration and history."""
