# B20: a number as text
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result('"1.0"'))
