#!/usr/bin/env python3
"""Write a model whose capsules have the inertia of MuJoCo before 2.1.1 (envs/inertia.h):

    legacy_inertia.py MODEL.xml LEGACY.xml

Each capsule of a body becomes massless, and its mass goes to a cylinder on the same axis, of the
same radius and class, longer than the capsule's straight part by one radius, that touches nothing
and cannot be seen. So contacts and everything that is known by name stay as they were, and MuJoCo
itself does the sums. Where a capsule lies is computed step by step as MuJoCo does, so that no bit
depends on who computes it.
"""
import math
import os
import sys
import xml.etree.ElementTree as ElementTree

# What may stand in a body without making or moving bodies and geoms.
PLAIN = {"joint", "freejoint", "inertial", "site", "camera", "light"}
# What a cylinder's mass follows from, where its capsule's class does not say it.
COPIED = ("class", "mass", "density", "group")
EXIT_CODE_DATA = 65


def refuse(element, expected):
    sys.stderr.write(f"{os.path.basename(sys.argv[1])}: found <{element.tag}>, expected {expected} "
                     "for capsules of legacy inertia; write it so or extend legacy_inertia.py\n")
    sys.exit(EXIT_CODE_DATA)


def numbers(text):
    return [float(word) for word in text.split()]


# --- Where a capsule lies ---------------------------------------------------------------------------

def norm(vector):
    # Not sum(), whose rounding depends on Python's version.
    squares = 0.0
    for x in vector:
        squares += x * x
    return math.sqrt(squares)


def quaternion_to(vector):
    """Of the rotation that brings the z axis to a vector, and the vector's length."""
    length = norm(vector)
    x, y, z = (component / length for component in vector)
    sine = norm([x, y])
    axis = [-y / sine, x / sine] if sine > 0.0 else [1.0, 0.0]
    half = math.atan2(sine, z) / 2.0
    return [math.cos(half), axis[0] * math.sin(half), axis[1] * math.sin(half), 0.0], length


def quaternion_of_angles(angles):
    """Of turns about x, the new y and the new z, in degrees."""
    w, x, y, z = 1.0, 0.0, 0.0, 0.0
    for axis, angle in enumerate(angles):
        half = angle / 180.0 * math.pi / 2.0
        c, turn = math.cos(half), [0.0, 0.0, 0.0]
        turn[axis] = math.sin(half)
        i, j, k = turn
        w, x, y, z = (w * c - x * i - y * j - z * k, w * i + x * c + y * k - z * j,
                      w * j - x * k + y * c + z * i, w * k + x * j - y * i + z * c)
    length = norm([w, x, y, z])
    return [w / length, x / length, y / length, z / length]


def place_of(geom, attributes):
    """Centre, rotation and half-length of a capsule."""
    if "fromto" in attributes:
        ends = numbers(attributes["fromto"])
        rotation, length = quaternion_to([ends[i] - ends[3 + i] for i in range(3)])
        return [(ends[i] + ends[3 + i]) / 2.0 for i in range(3)], rotation, length / 2.0
    centre = numbers(attributes.get("pos", "0 0 0"))
    half = numbers(attributes["size"])[1]
    if "zaxis" in attributes:
        return centre, quaternion_to(numbers(attributes["zaxis"]))[0], half
    if not {"quat", "axisangle", "xyaxes"}.isdisjoint(attributes):
        refuse(geom, "a direction by fromto, zaxis or euler")
    return centre, quaternion_of_angles(numbers(attributes.get("euler", "0 0 0"))), half


# --- The model --------------------------------------------------------------------------------------

def cylinder_of(geom, attributes):
    centre, (w, x, y, z), half = place_of(geom, attributes)
    axis = [2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)]
    radius = attributes["size"].split()[0]
    half += float(radius) / 2.0
    # End points, because no class of the capsule's can override them.
    ends = [centre[i] - half * axis[i] for i in range(3)]
    ends += [centre[i] + half * axis[i] for i in range(3)]
    return ElementTree.Element("geom", {
        "type": "cylinder", "contype": "0", "conaffinity": "0", "rgba": "0 0 0 0",
        "size": radius, "fromto": " ".join(f"{end:.17g}" for end in ends),
        **{name: geom.get(name) for name in COPIED if name in geom.attrib}})


def read_classes(default, inherited, classes):
    """Collect the attributes of geoms by class; an inner class begins with what the outer has."""
    own = dict(inherited)
    for geom in default.findall("geom"):
        own.update(geom.attrib)
    classes[default.get("class", "main")] = own
    for inner in default.findall("default"):
        read_classes(inner, own, classes)


def rewrite(body, childclass, classes):
    """Rewrite a body and all that hangs on it; of the world only what hangs on it."""
    childclass = body.get("childclass", childclass)
    for element in list(body):
        if element.tag == "body":
            rewrite(element, childclass, classes)
        elif element.tag == "geom":
            attributes = {**classes[element.get("class", childclass)], **element.attrib}
            if body.tag == "body" and attributes.get("type") == "capsule":
                body.insert(list(body).index(element), cylinder_of(element, attributes))
                element.set("mass", "0")
        elif element.tag not in PLAIN:
            refuse(element, "bodies and geoms written out one by one")


def check(model):
    """Refuse what would make geoms lie elsewhere than `rewrite` thinks, and files."""
    has_angles = any("euler" in geom.attrib for geom in model.iter("geom"))
    for compiler in model.findall("compiler"):
        if compiler.get("coordinate", "local") != "local" or "eulerseq" in compiler.attrib or \
                (has_angles and compiler.get("angle", "degree") != "degree"):
            refuse(compiler, "local coordinates and angles in degrees about x, y and z")
    for element in model.iter():
        if element.tag == "include" or any(name.startswith("file") for name in element.attrib):
            refuse(element, "a model that is one text and needs no files")


def main():
    tree = ElementTree.parse(sys.argv[1])
    model = tree.getroot()
    check(model)
    classes = {"main": {}}
    for default in model.findall("default"):
        read_classes(default, {}, classes)
    for world in model.findall("worldbody"):
        rewrite(world, "main", classes)
    tree.write(sys.argv[2], encoding="unicode")


if __name__ == "__main__":
    main()
