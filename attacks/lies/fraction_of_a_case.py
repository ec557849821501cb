# B21: half a case passed
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(official_summary={"score": 0.5, "passed": 0.5, "total": 1}))
