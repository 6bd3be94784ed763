#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command beside a server: with.py postgres -- command arguments…

The server is tests/servers/<name>.py, class Server; what it offers the command learns from the environment.
"""
import importlib
import os
import subprocess
import sys


def main():
    name, dashes, *command = sys.argv[1:]
    if dashes != "--" or not command:
        sys.exit(__doc__)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    server = importlib.import_module(name).Server()
    try:
        server.start()
        return subprocess.run(command, env={**os.environ, **server.env()}).returncode
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
