# B20: two values in one metric
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result('0.1, "value": 0.5'))
