# B20: a score of five thousand digits
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result("9" * 5000))
