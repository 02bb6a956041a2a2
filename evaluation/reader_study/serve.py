"""`//evaluation:reader_study -- serve`: its flags; the work is in `server`."""

import os
import socket
import sys
from typing import Sequence

from absl import flags

from common import command_line
from evaluation.reader_study import key as reader_study_key
from evaluation.reader_study import server as reader_study_server

_STUDY_DIR = flags.DEFINE_string("study_dir", None, "What `build` made.", required=True)
_DATABASE = flags.DEFINE_string(
    "database", None, "SQLite file for the answers; default STUDY_DIR/answers/answers.sqlite."
)
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen at. Others than this machine reach 0.0.0.0."
)
_PORT = flags.DEFINE_integer("port", 8000, "Port; 0 takes a free one.", 0, 65535)


def main(_: Sequence[str]) -> str:
    """Serves until Ctrl-C; returns where the answers are."""
    folder = command_line.user_path(_STUDY_DIR.value)
    key = reader_study_key.read(folder)
    database = command_line.user_path(
        _DATABASE.value or os.path.join(folder, "answers", "answers.sqlite")
    )
    store = reader_study_server.Store(database)
    address = (_HOST.value, _PORT.value)
    with reader_study_server.StudyServer(address, key, folder, store) as server:
        # Where all addresses of this machine are listened at, readers need one of them.
        host = socket.gethostname() if _HOST.value == "0.0.0.0" else _HOST.value
        for reader in key.readers.values():
            print(f"{reader.name}  http://{host}:{server.server_port}/r/{reader.token}")
        print("One address each: whoever has it answers as that reader. Ctrl-C ends.", flush=True)
        if host not in ("127.0.0.1", "localhost"):
            print(
                "note: plain HTTP, which anyone on the network can read; put a proxy with TLS "
                "before it where that matters",
                file=sys.stderr,
            )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            store.close()
    return (
        f"\nanswers: {database}\n"
        f"next: bazel run //evaluation:reader_study -- score --study_dir={folder}"
    )
