"""Samplers, schedules, noise and guidance. Importing it loads no torch."""
