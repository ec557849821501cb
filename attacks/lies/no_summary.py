# B21: no summary of its mode
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(official_summary=None))
