# B21: truth values as counts
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(official_summary={"score": 0.5, "passed": True, "total": True}))
