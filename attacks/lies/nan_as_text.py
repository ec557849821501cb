# B20: "NaN" as text
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result('"NaN"'))
