# B16: a NUL behind the document
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(lying.result().encode() + b"\0")
