# B20: NaN as a score
# ends: error result_invalid challenge
import lying

lying.write(lying.result("NaN"))
