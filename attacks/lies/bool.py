# B21: a truth value as a score
# ends: error result_invalid challenge
import lying

lying.write(lying.result("true"))
