# B20: NaN in a key of the summary's own
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(official_summary={"score": 0, "passed": 1, "total": 1, "x": 9}).replace('"x": 9', '"x": NaN'))
