# B13: the result is a FIFO, so that a reader would wait
# ends: error result_not_regular challenge
# runsc: error result_missing challenge
import os

import lying

os.mkfifo(lying.OUTPUT)
