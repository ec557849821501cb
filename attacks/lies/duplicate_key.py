# B20: two statuses in one object
# ends: error result_invalid challenge
import lying

lying.write(lying.result().replace('"status": "passed"', '"status": "failed", "status": "passed"'))
