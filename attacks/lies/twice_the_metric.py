# B21: one metric twice
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(aggregate_metrics=["METRIC", "METRIC"]))
