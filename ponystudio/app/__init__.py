"""The studio: windows, panels, documents on disk, runs, results and settings."""
