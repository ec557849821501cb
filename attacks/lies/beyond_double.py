# B20: 1e309, which no double holds
# ends: error result_invalid challenge
import lying

lying.write(lying.result("1e309"))
