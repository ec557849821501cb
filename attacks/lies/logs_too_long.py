# B16: a log line of three hundred thousand characters
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(logs=["x" * 300_000]))
