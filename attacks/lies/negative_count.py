# B21: a negative count
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(official_summary={"score": 0.5, "passed": -1, "total": 1}))
