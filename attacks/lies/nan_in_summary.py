# B20: NaN as the summary's score
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(official_summary={"score": 0, "passed": 1, "total": 1}).replace('"score": 0', '"score": NaN'))
