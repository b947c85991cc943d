"""Measure clip scores against labels: average precision, curves, calibration, bootstrap.

Layer 3 of 7: imports config, files and errors. Functions take arrays and return numbers or tables.
Everything that is measured of a trained model's scores belongs here; what needs the model itself
belongs in evaluation or device.
"""
