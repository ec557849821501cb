# B20: bytes that are no UTF-8
# ends: error result_invalid challenge
# quick: no
import lying

lying.write(b"\xff\xfe" + lying.result().encode())
