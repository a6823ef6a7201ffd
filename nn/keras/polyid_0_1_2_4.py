# PolyID 0.1.2.4 looks for .keras files, and Keras 3 does not build the layers
# inside nfp's before it gives them their weights. Run this once before
# MultiModel.load_models: the .h5 files then load, with Keras 2 and 3 alike.
from pathlib import Path

import keras
import nfp
import polyid.polyid


def build(dense, inputs):
    dense.build((None, None, inputs))


class EdgeUpdate(nfp.EdgeUpdate):
    def build(self, shapes):
        super().build(shapes)
        features, state = shapes[1][-1], shapes[3][-1]
        self.concat.build([shapes[1]])
        build(self.concat.dense1, 3 * features + state)
        build(self.concat.dense2, 2 * features)


class NodeUpdate(nfp.NodeUpdate):
    def build(self, shapes):
        super().build(shapes)
        features, state = shapes[1][-1], shapes[3][-1]
        self.concat.build([shapes[1]])
        build(self.concat.dense1, 2 * features + state)
        build(self.concat.dense2, 2 * features)
        build(self.dense1, features)
        build(self.dense2, 2 * features)


def load(path, custom_objects=None, **_):
    layers = {**(custom_objects or {}), "EdgeUpdate": EdgeUpdate, "NodeUpdate": NodeUpdate}
    return keras.models.load_model(Path(path).with_suffix(".h5"), custom_objects=layers, compile=False)


polyid.polyid.load_keras_model = load
