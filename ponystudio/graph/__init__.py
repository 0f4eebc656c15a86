"""Graphs as plain values: no Qt, no torch, no execution."""
