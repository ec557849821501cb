# B21: more cases passed than there are
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(official_summary={"score": 0.5, "passed": 2, "total": 1}))
