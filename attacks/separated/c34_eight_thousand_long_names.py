# C34: as many files as a case may leave, empty and with the longest names there are
# ends: passed - -
# quick: no
import honest

honest.answer()
for number in range(8100):
    open(f"/io/output/{number:05}" + "n" * 250, "w").close()
