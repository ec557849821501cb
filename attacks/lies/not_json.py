# B20: a word in place of JSON
# ends: error result_invalid challenge
# quick: no
import lying

lying.write("passed\n")
