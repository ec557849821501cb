# B13: the result is a link to a fine one
# ends: error result_not_regular challenge
import lying

(lying.OUTPUT.parent / "fine.json").write_text(lying.result())
lying.OUTPUT.symlink_to("fine.json")
