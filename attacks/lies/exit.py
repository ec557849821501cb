# B18: a fine result, and an exit code that says otherwise
# ends: error evaluator_crashed challenge
import sys

import lying

lying.write(lying.result())
sys.exit(3)
