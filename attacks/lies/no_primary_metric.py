# B21: no primary metric
# ends: error result_invalid challenge
import lying

lying.write(lying.result(aggregate_metrics=[]))
