# B20: no value as a score
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result("null"))
