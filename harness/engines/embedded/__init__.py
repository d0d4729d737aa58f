"""Engines that run on this host as plain processes, without Docker and without root."""
