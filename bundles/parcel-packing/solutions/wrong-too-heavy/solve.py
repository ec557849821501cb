"""Takes parcels by value for weight. WRONG: stops only once the capacity is exceeded."""

import json
import sys

van = json.load(sys.stdin)
capacity, parcels = van["capacity"], van["parcels"]
room = capacity
for number in sorted(range(len(parcels)), key=lambda n: -parcels[n]["value"] / parcels[n]["weight"]):
    if room < 0:
        break
    room -= parcels[number]["weight"]
    print(number)
