"""Read a safetensors file with nothing but the format's description, and print what is in it.

usage: read_safetensors.py FILE; exit status 77: numpy is not installed.
"""

import json
import sys

try:
    import numpy
except ImportError:
    sys.exit(77)

with open(sys.argv[1], "rb") as file:
    blob = file.read()
length = int.from_bytes(blob[:8], "little")
header = json.loads(blob[8 : 8 + length])
numbers = blob[8 + length :]
assert (8 + length) % 64 == 0
metadata = header.pop("__metadata__")
assert all(isinstance(value, str) for value in metadata.values())
end = 0
for name, entry in header.items():
    begin, stop = entry["data_offsets"]
    assert entry["dtype"] == "F32" and begin == end
    values = numpy.frombuffer(numbers[begin:stop], "<f4").reshape(entry["shape"])
    print(name, *values.shape, *(float(value).hex() for value in values.flat))
    end = stop
assert end == len(numbers)
