# B13: the result is a directory
# ends: error result_not_regular challenge
# quick: no
import lying

lying.OUTPUT.mkdir()
