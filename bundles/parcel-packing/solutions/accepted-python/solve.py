"""Dynamic programming over the capacity."""

import json
import sys

van = json.load(sys.stdin)
capacity, parcels = van["capacity"], van["parcels"]
# best[room]: the highest value that fits, and the parcels that make it, as the bits of a number
best = [(0, 0)] * (capacity + 1)
for number, parcel in enumerate(parcels):
    weight, value = parcel["weight"], parcel["value"]
    for room in range(capacity, weight - 1, -1):
        other, bits = best[room - weight]
        if other + value > best[room][0]:
            best[room] = (other + value, bits | 1 << number)
print(*[number for number in range(len(parcels)) if best[capacity][1] >> number & 1])
