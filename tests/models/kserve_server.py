"""A KServe model server for one ONNX file: kserve_server.py FILE NAME PORT GRPC_PORT"""

import sys

import kserve
import numpy as np
import onnxruntime


class Onnx(kserve.Model):
    def __init__(self, file, name):
        super().__init__(name)
        self.runtime = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        self.ready = True

    async def get_input_types(self):
        types = {"tensor(float)": "FP32", "tensor(uint8)": "UINT8", "tensor(float16)": "FP16"}
        return [{"name": i.name, "datatype": types[i.type], "shape": i.shape} for i in self.runtime.get_inputs()]

    def predict(self, payload, headers=None, response_headers=None):
        names = [output.name for output in self.runtime.get_outputs()]
        values = self.runtime.run(names, {payload.inputs[0].name: payload.inputs[0].as_numpy()})
        outputs = []
        for name, value in zip(names, values):
            output = kserve.InferOutput(name, list(value.shape), "FP32")
            # As the request asks for it.
            output.set_data_from_numpy(np.ascontiguousarray(value), bool(payload.use_binary_outputs))
            outputs.append(output)
        return kserve.InferResponse(payload.id, self.name, outputs)


if __name__ == "__main__":
    file, name, port, grpc_port = sys.argv[1:]
    server = kserve.ModelServer(http_port=int(port), grpc_port=int(grpc_port), workers=1)
    server.start([Onnx(file, name)])
