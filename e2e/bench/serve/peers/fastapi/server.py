"""FastAPI over onnxruntime, written by hand: what a team makes itself when it takes no inference server.

It speaks the Open Inference Protocol's infer call as JSON and with binary tensors. PARSE=orjson reads the body with
the fastest parser there is, PARSE=pydantic by a declared model, as FastAPI's guide does. RUN=loop calls the model on the event
loop, RUN=pool in a thread.
"""

import os
import pathlib

import numpy as np
import onnxruntime as ort
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

LENGTH = "inference-header-content-length"


def open_session(path: pathlib.Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = int(os.environ["THREADS"])
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


SESSIONS = {
    path.parent.parent.name: open_session(path)
    for path in pathlib.Path(os.environ["REPOSITORY"]).glob("*/1/model.onnx")
}
app = FastAPI()


async def run(model: str, feeds: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    session = SESSIONS[model]
    names = [output.name for output in session.get_outputs()]
    if os.environ["RUN"] == "pool":
        values = await run_in_threadpool(session.run, names, feeds)
    else:
        values = session.run(names, feeds)
    return list(zip(names, values))


def head(name: str, value: np.ndarray) -> dict:
    return {"name": name, "datatype": "FP32", "shape": value.shape}


def as_json(model: str, outputs: list[tuple[str, np.ndarray]]) -> Response:
    body = {
        "model_name": model,
        "outputs": [{**head(name, value), "data": value.ravel()} for name, value in outputs],
    }
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def as_bytes(model: str, outputs: list[tuple[str, np.ndarray]]) -> Response:
    described = [
        {**head(name, value), "parameters": {"binary_data_size": value.nbytes}} for name, value in outputs
    ]
    text = orjson.dumps({"model_name": model, "outputs": described})
    body = b"".join([text, *(value.tobytes() for _, value in outputs)])
    return Response(body, media_type="application/octet-stream", headers={LENGTH: str(len(text))})


@app.get("/ready")
async def ready() -> dict:
    return {"ready": True}


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Question(BaseModel):
    inputs: list[Tensor]


def read_json(body: bytes) -> dict[str, np.ndarray]:
    if os.environ["PARSE"] == "pydantic":
        tensors = [vars(tensor) for tensor in Question.model_validate_json(body).inputs]
    else:
        tensors = orjson.loads(body)["inputs"]
    return {
        tensor["name"]: np.array(tensor["data"], np.float32).reshape(tensor["shape"]) for tensor in tensors
    }


def read_bytes(body: bytes, length: int) -> dict[str, np.ndarray]:
    feeds = {}
    at = length
    for tensor in orjson.loads(body[:length])["inputs"]:
        size = tensor["parameters"]["binary_data_size"]
        feeds[tensor["name"]] = np.frombuffer(body, np.float32, size // 4, at).reshape(tensor["shape"])
        at += size
    return feeds


@app.post("/v2/models/{model}/infer")
async def infer(model: str, request: Request) -> Response:
    body = await request.body()
    length = request.headers.get(LENGTH)
    if length is None:
        return as_json(model, await run(model, read_json(body)))
    return as_bytes(model, await run(model, read_bytes(body, int(length))))
