"""The studio of a small trained run, for tests."""

import contextlib
import os
import threading
from typing import Iterator

from common.server import Server
from studio import opening, server
from synthesis import trained_generator
from training import testing_data

TOKEN = "secret"


@contextlib.contextmanager
def serving(run_dir: str, data_dir: str, compared: bool = False) -> Iterator[Server]:
    """Serves a run at a free port of this machine, or the run beside itself."""
    generators = [trained_generator.load(run_dir) for _ in range(1 + compared)]
    painters, data, reason = opening.prepare(generators, data_dir, insist=True)
    with Server(server.make_app(painters, data, reason, TOKEN), port=0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            running.stop()
            thread.join()


def train(folder: str) -> str:
    """Makes FOLDER/data and a run of it, whose folder is returned."""
    run = testing_data.train_run(folder, steps=2)
    assert os.path.isdir(os.path.join(folder, "data"))
    return run.workdir
