# A4: its inputs can be neither changed nor replaced
# ends: passed - -
import os

import honest

inputs = os.environ["AGENTICS_INPUT_DIR"]
problems = honest.refused("write", lambda: open(f"{inputs}/deep/question.json", "w").write("{}"))
problems += honest.refused("unlink", lambda: os.unlink(f"{inputs}/deep/question.json"))
problems += honest.refused("rename", lambda: os.rename(inputs, "/io/other"))
problems += honest.refused("new", lambda: open(f"{inputs}/new", "w"))
problems += honest.refused("chmod", lambda: os.chmod(f"{inputs}/deep", 0o777))
problems += honest.refused("link", lambda: os.link(f"{inputs}/deep/question.json", "/io/output/link"))
if problems:
    print(problems)
else:
    honest.answer()
