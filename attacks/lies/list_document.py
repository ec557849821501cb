# B20: a list in place of the document
# ends: error result_invalid challenge
# quick: no
import lying

lying.write("[]")
