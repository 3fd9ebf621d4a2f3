"""A BentoML service with one call per model: its own JSON in and out, onnxruntime between them.

A call takes one array, all inputs of a row behind each other, since a call that BentoML batches takes one argument.
"""

import os
import pathlib

import bentoml
import numpy as np
import onnxruntime as ort

REPOSITORY = pathlib.Path(os.environ["REPOSITORY"])
LATENCY_MS = int(os.environ.get("LATENCY_MS", "10000"))
BATCHED = {"batchable": True, "max_batch_size": 64, "max_latency_ms": LATENCY_MS}
CALL = BATCHED if os.environ["BATCH"] == "on" else {}



def call(model: str):
    """A call on the event loop, or in one of BentoML's threads."""
    if os.environ["RUN"] == "loop":

        async def infer(self, inputs: np.ndarray) -> np.ndarray:
            return self.run(model, inputs)

    else:

        def infer(self, inputs: np.ndarray) -> np.ndarray:
            return self.run(model, inputs)

    infer.__name__ = model
    return bentoml.api(**CALL)(infer)


@bentoml.service(
    workers=int(os.environ["WORKERS"]), traffic={"timeout": 60}, logging={"access": {"enabled": False}}
)
class Onnx:
    def __init__(self) -> None:
        self._sessions = {}
        for path in sorted(REPOSITORY.glob("*/1/model.onnx")):
            options = ort.SessionOptions()
            options.intra_op_num_threads = int(os.environ["THREADS"])
            options.inter_op_num_threads = 1
            session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            self._sessions[path.parent.parent.name] = session

    def run(self, model: str, inputs: np.ndarray) -> np.ndarray:
        session = self._sessions[model]
        rows = inputs.astype(np.float32, copy=False)
        feeds = {}
        at = 0
        for spec in session.get_inputs():
            width = int(np.prod(spec.shape[1:]))
            feeds[spec.name] = rows[:, at : at + width].reshape(-1, *spec.shape[1:])
            at += width
        return session.run(None, feeds)[0]

    loadcast = call("loadcast")
    mlp8k = call("mlp8k")
    mlp9m = call("mlp9m")
