"""Log trainings to MLflow, live and from the files that the stages wrote.

Layer 6 of 7: imports report, config, files, notices and errors. It observes and changes nothing: no
stage's output depends on it. What a run must hold, and how it is found again, belongs here.
"""
