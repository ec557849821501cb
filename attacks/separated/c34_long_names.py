# C34: names of 255 bytes are names
# ends: passed - -
# quick: no
import honest

honest.answer()
for number in range(20):
    open(f"/io/output/{number:03}" + "n" * 252, "w").close()
