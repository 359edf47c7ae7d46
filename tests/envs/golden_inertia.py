#!/usr/bin/env python3
"""Write the inertials of the originals' bodies under both rules as a table for the tests:

    golden_inertia.py FACTS.json >golden_inertia.h

FACTS.json describes the domains: "inertials" has, for each body, mass, ipos, iquat and inertia,
"exact" as MuJoCo computes them and "legacy" as MuJoCo before 2.1.1 did. Domains that we do not
have, and bodies without these rules, are left out.
"""
import json
import sys

from golden import TASKS, numbers


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        domains = json.load(file)["domains"]
    print("/* Inertials of the originals; written by golden_inertia.py, change that instead. */")
    print("#ifndef CHAINRING_TESTS_ENVS_GOLDEN_INERTIA_H")
    print("#define CHAINRING_TESTS_ENVS_GOLDEN_INERTIA_H\n")
    print('#include "envs/inertia.h"\n')
    print("struct golden_inertial {\n    const char *domain, *body;\n    enum inertia_rule rule;\n"
          "    double mass, position[3], rotation[4], inertia[3];\n};\n")
    print("static const struct golden_inertial golden_inertials[] = {")
    for domain in sorted(TASKS):
        for body, rules in domains[domain].get("inertials", {}).items():
            for rule in ("exact", "legacy"):
                if rule not in rules:
                    continue
                found = rules[rule]
                print(f'    {{"{domain}", "{body}", INERTIA_{rule.upper()}, {found["mass"]!r}, '
                      f'{numbers(found["ipos"])}, {numbers(found["iquat"])}, '
                      f'{numbers(found["inertia"])}}},')
    print("};\n\n#endif")


if __name__ == "__main__":
    main()
