from __future__ import annotations

import socket
import sqlite3

import pytest


def test_unit_test_has_no_network():
    with socket.socket() as outside, pytest.raises(PermissionError, match="may not use the network"):
        outside.connect(("127.0.0.1", 9))


def test_unit_test_has_no_database():
    with pytest.raises(PermissionError, match="may not use a database"):
        sqlite3.connect(":memory:")
