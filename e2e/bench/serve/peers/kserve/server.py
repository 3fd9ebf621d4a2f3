"""An ONNX adapter for KServe's Python server: its model class and its tensors, onnxruntime between them."""

import logging
import os
import pathlib

import onnxruntime as ort
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelServer


class OnnxModel(Model):
    def __init__(self, path: pathlib.Path):
        super().__init__(path.parent.parent.name)
        self._path = path
        self.load()

    def load(self) -> bool:
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(os.environ["THREADS"])
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        self.ready = True
        return True

    def __getstate__(self) -> dict:
        """Its worker processes get the model by pickle, which takes no session."""
        return {key: value for key, value in self.__dict__.items() if key != "_session"}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.load()

    async def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:
        def value_of(tensor: InferInput):
            return tensor.as_numpy().reshape(tensor.shape)

        values = self._session.run(self._names, {tensor.name: value_of(tensor) for tensor in payload.inputs})
        binary = payload.use_binary_outputs
        outputs = []
        for name, value in zip(self._names, values):
            # It turns an array into a JSON list itself, but over gRPC it takes bytes only.
            output = InferOutput(name, list(value.shape), "FP32", None if binary else value)
            if binary:
                output.set_data_from_numpy(value)
            outputs.append(output)
        # Its own JSON answer wants an id, also where the request has none.
        return InferResponse(payload.id or "", self.name, outputs, use_binary_outputs=binary)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    repository = pathlib.Path(os.environ["REPOSITORY"])
    ModelServer(
        http_port=int(os.environ["HTTP_PORT"]),
        grpc_port=int(os.environ["GRPC_PORT"]),
        workers=int(os.environ["WORKERS"]),
        access_log_format=None,
    ).start([OnnxModel(path) for path in sorted(repository.glob("*/1/model.onnx"))])
