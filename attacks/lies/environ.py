# B13: the result is a link to its own environment
# ends: error result_not_regular challenge
# quick: no
import lying

lying.OUTPUT.symlink_to("/proc/self/environ")
