# C31: output without end to an evaluator that reads all of it
# ends: failed verdict_fail -
# quick: no
print("x" * (4 << 20))
