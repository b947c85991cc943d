"""Render what the other stages measured as Markdown, HTML and a model card.

Layer 4 of 7: imports config, files and errors. It reads metrics/ and the example clips, so a report
can be rendered without audio and models. Tables and charts belong here; new measurements do not.
"""
