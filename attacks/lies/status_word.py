# B21: a status that is none
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(status="accepted"))
