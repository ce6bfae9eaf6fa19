"""The judge of detectors: what onnxruntime, OpenCV and NumPy make of a model and pictures.

    judge.py models DIR               writes small models with random weights, one directory each, with their model.toml
    judge.py prepare MODEL PICTURES   writes what the model is given for each picture: PICTURE.tensor
    judge.py detect MODEL PICTURES    prints a list of detections for each picture, as JSON
    judge.py time MODEL PICTURES N    prints milliseconds and CPU seconds for each picture, the best of N rounds, one thread

MODEL is a directory with a model.toml. PICTURES are files WIDTHxHEIGHT-anything.rgb of 8-bit RGB.
"""

import hashlib
import json
import pathlib
import sys
import time
import tomllib

import numpy as np


def description(directory):
    directory = pathlib.Path(directory)
    model = tomllib.loads((directory / "model.toml").read_text())
    if isinstance(model["labels"], str):
        model["labels"] = (directory / model["labels"]).read_text().rstrip().split("\n")
    return model


def picture(path):
    width, height = map(int, pathlib.Path(path).name.split("-")[0].split("x"))
    return np.fromfile(path, np.uint8).reshape(height, width, 3)


def prepared(model, rgb):
    """The input's tensor, and how to get from its pixels to fractions of the picture."""
    import cv2

    want = model["input"]
    height, width = rgb.shape[:2]
    if want["resize"] == "stretch":
        canvas = cv2.resize(rgb, (want["width"], want["height"]), interpolation=cv2.INTER_LINEAR)
        left, top, across, down = 0, 0, want["width"], want["height"]
    else:
        ratio = min(want["width"] / width, want["height"] / height)
        across, down = width * ratio, height * ratio
        left = top = 0
        if want.get("align", "top-left") == "top-left":
            size = (max(1, int(across)), max(1, int(down)))
        else:
            size = (max(1, round(across)), max(1, round(down)))
            left = round((want["width"] - size[0]) / 2 - 0.1)
            top = round((want["height"] - size[1]) / 2 - 0.1)
        fit = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
        canvas = np.full((want["height"], want["width"], 3), want.get("fill", 114), np.uint8)
        canvas[top : top + size[1], left : left + size[0]] = fit
    if want["colour"] == "bgr":
        canvas = canvas[:, :, ::-1]
    if want["type"] != "u8":
        scale = np.float32(want.get("scale", 1.0))
        mean = np.array(want.get("mean", [0, 0, 0]), np.float32)
        std = np.array(want.get("std", [1, 1, 1]), np.float32)
        canvas = (canvas.astype(np.float32) * scale - mean) / std
        if want["type"] == "f16":
            canvas = canvas.astype(np.float16)
    if want["layout"] == "nchw":
        canvas = canvas.transpose(2, 0, 1)
    return np.ascontiguousarray(canvas[None]), (left, top, across, down)


def best(scores, labels):
    """The class with the highest score of those that have a label, and the score."""
    named = np.array([bool(label) for label in labels] + [False] * (scores.shape[1] - len(labels)))
    scores = np.where(named, scores, -1)
    return scores.argmax(1), scores.max(1)


def around(boxes):
    return np.concatenate([boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2], 1)


def read(model, outputs):
    """Boxes as edges in pixels of the input, classes, scores."""
    decoder, want, labels = model["decoder"], model["input"], model["labels"]
    only = next(iter(outputs.values()))
    size = np.array([want["width"], want["height"]] * 2)
    if decoder["kind"] == "yolox":
        values = outputs.get(decoder.get("output"), only)[0]
        grids, strides = [], []
        for stride in decoder.get("strides", [8, 16, 32]):
            xs, ys = np.meshgrid(np.arange(want["width"] // stride), np.arange(want["height"] // stride))
            grids.append(np.stack([xs, ys], 2).reshape(-1, 2))
            strides.append(np.full((grids[-1].shape[0], 1), stride))
        grid, stride = np.concatenate(grids), np.concatenate(strides)
        boxes = np.concatenate([(values[:, :2] + grid) * stride, np.exp(values[:, 2:4]) * stride], 1)
        return (around(boxes), *best(values[:, 5:] * values[:, 4:5], labels))
    if decoder["kind"] == "yolov8":
        values = outputs.get(decoder.get("output"), only)[0]
        if values.shape[0] == 4 + len(labels):
            values = values.T
        return (around(values[:, :4]), *best(values[:, 4:], labels))
    boxes = outputs[decoder["boxes"]][0]
    if decoder["kind"] == "ssd":
        if decoder.get("order", "xyxy") == "yxyx":
            boxes = boxes[:, [1, 0, 3, 2]]
        if decoder.get("unit", "fraction") == "fraction":
            boxes = boxes * size
        scores = outputs[decoder["scores"]][0]
        if "classes" in decoder:
            classes = outputs[decoder["classes"]][0].astype(int)
            return boxes, classes, np.where([bool(labels[c]) for c in classes], scores, -1)
        return (boxes, *best(scores, labels))
    logits = outputs[decoder["logits"]][0].astype(np.float64)
    if decoder["activation"] == "softmax":
        scores = np.exp(logits - logits.max(1, keepdims=True))
        scores /= scores.sum(1, keepdims=True)
    else:
        scores = 1 / (1 + np.exp(-logits))
    return (around(boxes) * size, *best(scores, labels))


def overlap(box, boxes):
    edges = np.concatenate([np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])], 1)
    common = np.clip(edges[:, 2:] - edges[:, :2], 0, None).prod(1)
    area = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - common
    # Of two boxes without an area, 0.
    return np.divide(common, area, out=np.zeros_like(common), where=area > 0)


def detections(model, outputs, placement):
    boxes, classes, scores = read(model, outputs)
    left, top, across, down = placement
    keep = []
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] < model["score"]:
            break
        same = [other for other in keep if classes[other] == classes[index]]
        if "iou" in model and same and overlap(boxes[index], boxes[same]).max() > model["iou"]:
            continue
        keep.append(index)
    found = []
    for index in keep:
        edges = (boxes[index] - [left, top, left, top]) / [across, down, across, down]
        edges = np.clip(edges, 0, 1)
        if edges[0] < edges[2] and edges[1] < edges[3]:
            label, score = model["labels"][classes[index]], float(scores[index])
            found.append({"label": label, "score": score, "edges": [float(edge) for edge in edges]})
    return found


def session(directory, model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    file = pathlib.Path(directory) / model["file"]
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def run(runtime, tensor):
    names = [output.name for output in runtime.get_outputs()]
    return dict(zip(names, runtime.run(names, {runtime.get_inputs()[0].name: tensor})))


def write_models(directory):
    from onnx import TensorProto, helper, numpy_helper, save

    random = np.random.default_rng(13)
    directory = pathlib.Path(directory)

    def constant(name, values):
        return numpy_helper.from_array(np.array(values), name)

    def write(name, nodes, constants, outputs, shape, decoder, *, width, height, element="f32", more=""):
        types = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "u8": TensorProto.UINT8}
        inputs = [helper.make_tensor_value_info("pictures", types[element], shape)]
        graph = helper.make_graph(nodes, name, inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        place = directory / name
        place.mkdir(parents=True)
        save(model, place / "model.onnx")
        digest = hashlib.sha256((place / "model.onnx").read_bytes()).hexdigest()
        (place / "model.toml").write_text(
            f'name = "{name}"\nfile = "model.onnx"\nsha256 = "{digest}"\n'
            f'labels = ["", "person", "bottle", "cat", "dog"]\n{more}\n'
            f'[input]\nwidth = {width}\nheight = {height}\ntype = "{element}"\n{decoder}'
        )

    classes, cells = 5, 64

    def head(channels, element=np.float32, source="pictures", cells=cells):
        """A convolution with a stride of 8, over 64 x 64 pixels unless other cells are asked for: so many values each."""
        weights = (random.standard_normal((channels, 3, 8, 8)) * 0.05).astype(element)
        nodes = [
            helper.make_node("Conv", [source, "w"], ["conv"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Reshape", ["conv", "flat"], ["cells"]),
        ]
        return nodes, [numpy_helper.from_array(weights, "w"), constant("flat", np.array([1, channels, cells]))]

    def split(channels, first):
        return (
            [helper.make_node("Split", ["cells", "parts"], ["a", "b"], axis=1)],
            [constant("parts", np.array([first, channels - first]))],
        )

    def value(name, shape, element=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, element, shape)

    letterbox = 'layout = "nchw"\ncolour = "rgb"\nscale = 0.00392156862745098\nresize = "letterbox"\nalign = "centre"\n'

    def yolov8(name, element, shape, transposed, width=64, height=64):
        kind = np.float16 if element == "f16" else np.float32
        nodes, constants = head(
            4 + classes, kind, "scaled" if element == "u8" else "pictures", width // 8 * (height // 8)
        )
        extra, more = split(4 + classes, 4)
        nodes += extra + [
            helper.make_node("Sigmoid", ["a"], ["sa"]),
            helper.make_node("Sigmoid", ["b"], ["scores"]),
            helper.make_node("Mul", ["sa", "side"], ["boxes"]),
            helper.make_node("Concat", ["boxes", "scores"], ["joined"], axis=1),
        ]
        side = np.array([width, height] * 2, kind).reshape(1, 4, 1)
        constants += more + [constant("side", side)]
        output = "joined"
        if transposed:
            nodes.append(helper.make_node("Transpose", ["joined"], ["output0"], perm=[0, 2, 1]))
            output = "output0"
        layout = letterbox
        if element == "u8":
            nodes = [
                helper.make_node("Transpose", ["pictures"], ["planes"], perm=[0, 3, 1, 2]),
                helper.make_node("Cast", ["planes"], ["floats"], to=TensorProto.FLOAT),
                helper.make_node("Div", ["floats", "full"], ["scaled"]),
            ] + nodes
            constants.append(constant("full", np.array(255, np.float32)))
            layout = 'layout = "nhwc"\ncolour = "bgr"\nresize = "stretch"\n'
        outputs = [value(output, None, TensorProto.FLOAT16 if element == "f16" else TensorProto.FLOAT)]
        decoder = layout + '[decoder]\nkind = "yolov8"\n'
        more = "score = 0.6\niou = 0.45\n"
        write(name, nodes, constants, outputs, shape, decoder, width=width, height=height, element=element, more=more)

    yolov8("yolov8", "f32", [1, 3, 64, 64], False)
    yolov8("yolov8-dynamic", "f32", ["n", 3, "h", "w"], False)
    yolov8("yolov8-transposed-bytes", "u8", [1, 64, 64, 3], True)
    yolov8("yolov8-half", "f16", [1, 3, 64, 64], False)

    def yolox(name, width, height):
        """Cells in rows, as a model that is not square shows: offsets from them, sizes as powers of e, scores."""
        nodes, constants = head(5 + classes, cells=width // 8 * (height // 8))
        extra, more = split(5 + classes, 4)
        nodes += extra + [
            helper.make_node("Sigmoid", ["b"], ["scores"]),
            helper.make_node("Concat", ["a", "scores"], ["joined"], axis=1),
            helper.make_node("Transpose", ["joined"], ["output"], perm=[0, 2, 1]),
        ]
        decoder = letterbox + '[decoder]\nkind = "yolox"\nstrides = [8]\n'
        outputs = [value("output", None)]
        more_keys = "score = 0.2\niou = 0.45\n"
        shape = [1, 3, height, width]
        write(name, nodes, constants + more, outputs, shape, decoder, width=width, height=height, more=more_keys)

    def lists(name, chosen):
        nodes, constants = head(4 + classes)
        extra, more = split(4 + classes, 4)
        nodes += extra + [
            helper.make_node("Sigmoid", ["a"], ["sa"]),
            helper.make_node("Transpose", ["sa"], ["ta"], perm=[0, 2, 1]),
            helper.make_node("Mul", ["ta", "half"], ["ha"]),
            helper.make_node("MatMul", ["ha", "corners"], ["boxes"]),
            helper.make_node("Transpose", ["b"], ["tb"], perm=[0, 2, 1]),
            helper.make_node("Softmax", ["tb"], ["scores"], axis=2),
        ]
        # The second corner is the first and something more.
        corners = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
        constants += more + [constant("half", np.float32(0.5)), constant("corners", corners)]
        outputs = [value("boxes", [1, cells, 4]), value("scores", [1, cells, classes])]
        decoder = 'layout = "nchw"\ncolour = "bgr"\nmean = [104.0, 117.0, 123.0]\nstd = [58.0, 57.0, 57.5]\n'
        decoder += 'resize = "stretch"\n[decoder]\nkind = "ssd"\nboxes = "boxes"\n'
        if chosen:
            nodes += [
                helper.make_node("ReduceMax", ["scores"], ["top"], axes=[2], keepdims=0),
                helper.make_node("ArgMax", ["scores"], ["which"], axis=2, keepdims=0),
                helper.make_node("Cast", ["which"], ["classes"], to=TensorProto.FLOAT),
            ]
            outputs = [value("boxes", None), value("top", None), value("classes", None)]
            decoder += 'scores = "top"\nclasses = "classes"\norder = "yxyx"\n'
        else:
            decoder += 'scores = "scores"\n'
        write(name, nodes, constants, outputs, [1, 3, 64, 64], decoder, width=64, height=64, more="score = 0.3\niou = 0.5\n")

    lists("ssd", False)
    lists("ssd-chosen", True)

    def detr(name, activation, columns):
        nodes, constants = head(4 + columns)
        extra, more = split(4 + columns, 4)
        nodes += extra + [
            helper.make_node("Sigmoid", ["a"], ["sa"]),
            helper.make_node("Transpose", ["sa"], ["pred_boxes"], perm=[0, 2, 1]),
            helper.make_node("Transpose", ["b"], ["logits"], perm=[0, 2, 1]),
        ]
        decoder = 'layout = "nchw"\ncolour = "rgb"\nscale = 0.00392156862745098\nmean = [0.485, 0.456, 0.406]\n'
        decoder += 'std = [0.229, 0.224, 0.225]\nresize = "stretch"\n'
        decoder += f'[decoder]\nkind = "detr"\nboxes = "pred_boxes"\nlogits = "logits"\nactivation = "{activation}"\n'
        outputs = [value("logits", [1, cells, columns]), value("pred_boxes", [1, cells, 4])]
        write(name, nodes, constants + more, outputs, [1, 3, 64, 64], decoder, width=64, height=64, more=f"score = {0.3 if activation == 'softmax' else 0.6}\n")

    detr("detr-softmax", "softmax", classes + 1)
    detr("detr-sigmoid", "sigmoid", classes)
    # Not square, the one and the other way. At the end, so that the weights of those above stay as they are.
    yolov8("yolov8-tall", "f32", [1, 3, 96, 64], False, 64, 96)
    yolov8("yolov8-wide-bytes", "u8", [1, 64, 96, 3], True, 96, 64)
    yolox("yolox-wide", 96, 64)
    yolox("yolox-tall", 64, 96)


def main(what, where, *pictures):
    if what == "models":
        return write_models(where)
    model = description(where)
    if what == "prepare":
        for path in pictures:
            prepared(model, picture(path))[0].tofile(f"{path}.tensor")
        return None
    runtime = session(where, model)
    if what == "detect":
        for path in pictures:
            tensor, placement = prepared(model, picture(path))
            print(json.dumps(detections(model, run(runtime, tensor), placement)))
        return None
    assert what == "time", what
    *pictures, rounds = pictures
    pictures = [picture(path) for path in pictures]
    least = None
    for _ in range(int(rounds)):
        wall, cpu = time.perf_counter(), time.process_time()
        for rgb in pictures:
            tensor, placement = prepared(model, rgb)
            detections(model, run(runtime, tensor), placement)
        took = (time.perf_counter() - wall, time.process_time() - cpu)
        least = min(least or took, took)
    print(json.dumps({"ms": least[0] * 1000 / len(pictures), "cpu_s": least[1] / len(pictures)}))
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
