"""Takes parcels by value for weight as long as they fit: valid always, best seldom."""

import json
import sys

van = json.load(sys.stdin)
capacity, parcels = van["capacity"], van["parcels"]
room = capacity
for number in sorted(range(len(parcels)), key=lambda n: -parcels[n]["value"] / parcels[n]["weight"]):
    if parcels[number]["weight"] <= room:
        room -= parcels[number]["weight"]
        print(number)
