# B21: a list as a score
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result("[1]"))
