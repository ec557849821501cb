"""Greedy. CRASHES with more than 64 parcels."""

import json
import sys

van = json.load(sys.stdin)
capacity, parcels = van["capacity"], van["parcels"]
taken = [False] * 64
room = capacity
for number in sorted(range(len(parcels)), key=lambda n: -parcels[n]["value"] / parcels[n]["weight"]):
    taken[number] = parcels[number]["weight"] <= room
    if taken[number]:
        room -= parcels[number]["weight"]
        print(number)
