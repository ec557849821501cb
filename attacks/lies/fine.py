# B20: the control: a result as it should be
# ends: passed - -
import lying

lying.write(lying.result())
