"""Writes the pickles that read_test.go reads: python gen.py"""

import collections
import os
import pickle


class Thing:
    """Pickles as the class "shop.Thing" with a state."""

    def __init__(self):
        self.size, self.parts = 3, ["a", None]


Thing.__module__, Thing.__qualname__ = "shop", "Thing"
import sys

shop = type(sys)("shop")
shop.Thing = Thing
sys.modules["shop"] = shop

shared = ["twice"]
value = {
    "none": None, "yes": True, "no": False,
    "ints": [0, 255, 256, 65535, 65536, -1, -(2**31), 2**40, -(2**40)],
    "float": 0.1, "text": "Tg in °C", "long": "x" * 300, "bytes": b"\x00\xff", "more": b"y" * 300,
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "shared": [shared, shared],
    "thing": Thing(), "class": Thing,
    "ordered": collections.OrderedDict(a=1),
    "empty": {},
}
for protocol in range(2, 6):
    with open(f"p{protocol}.pk", "wb") as f:
        pickle.dump(value, f, protocol)


class Evil:
    def __reduce__(self):
        return os.system, ("false",)


with open("evil.pk", "wb") as f:
    pickle.dump({"prediction_columns": Evil()}, f, 4)
with open("set.pk", "wb") as f:
    pickle.dump({1, 2}, f, 4)
with open("big.pk", "wb") as f:
    pickle.dump(2**80, f, 4)
with open("p0.pk", "wb") as f:
    pickle.dump([1, "a"], f, 0)
