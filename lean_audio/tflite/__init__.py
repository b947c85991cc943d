"""Read, write and run a .tflite file, whatever made it.

Layer 3 of 7: imports audio, screen and errors. The file format, the labels and card inside, and the
LiteRT interpreter belong here. Exporting a network belongs in backbones or device, and quantizing
it in device.
"""
