# B26, B21: the result of the other mode
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(mode="validation"))
