# B21: a key that no contract knows
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result(reward=1))
