# B16, B20: two results in one file
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result() + lying.result())
