"""A model of MLServer's that onnxruntime runs: what MLServer's documentation calls a custom runtime."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse, MetadataTensor

TYPES = {"tensor(float)": "FP32", "tensor(uint8)": "UINT8", "tensor(float16)": "FP16"}


class Onnx(MLModel):
    async def load(self):
        self.runtime = onnxruntime.InferenceSession(self.settings.parameters.uri, providers=["CPUExecutionProvider"])
        self.inputs = [
            MetadataTensor(name=tensor.name, datatype=TYPES[tensor.type], shape=tensor.shape)
            for tensor in self.runtime.get_inputs()
        ]
        return True

    async def predict(self, payload):
        tensor = NumpyCodec.decode_input(payload.inputs[0])
        names = [output.name for output in self.runtime.get_outputs()]
        values = self.runtime.run(names, {payload.inputs[0].name: tensor})
        outputs = [NumpyCodec.encode_output(name, value) for name, value in zip(names, values)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
