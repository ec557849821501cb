# B20, C34: a result of five mebibytes that holds nothing
# ends: error result_too_large challenge
import lying

with lying.OUTPUT.open("wb") as file:
    file.truncate(5 << 20)
