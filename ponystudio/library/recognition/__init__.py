"""Which model is this: signatures of names and shapes, prediction, notes of the file itself.

May import `library.formats`. Start at `recognise.py`; one more denoiser is a row in
`denoiser_signatures.py`, one more method of few steps one in `few_steps.py`.
"""
