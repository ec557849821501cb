# C31: output without end to an evaluator that reads all of it
# ends: failed verdict_fail -
print("x" * (4 << 20))
