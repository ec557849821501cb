# B20: an integer of four hundred digits as a score
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result("1" + "0" * 400))
