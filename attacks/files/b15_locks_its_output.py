# B15: nobody may read what it leaves
# ends: passed - -
import os

import honest

honest.answer()
os.chmod("/io/output/answer.txt", 0)
os.chmod("/io/output", 0)
