# B21: a metric that nobody declared
# ends: error result_invalid challenge
import lying

lying.write(lying.result().replace('"share"', '"cnrymetric"'))
