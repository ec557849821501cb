# B20: an empty file
# ends: error result_invalid challenge
# quick: no
import lying

lying.write("")
