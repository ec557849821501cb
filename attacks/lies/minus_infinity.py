# B20: -Infinity as a score
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result("-Infinity"))
