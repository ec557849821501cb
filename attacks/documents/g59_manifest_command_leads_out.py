# G59, D48: a solution whose command lies outside
# ends: refused * user
import json

from making import MANIFEST, solution


def make(root, _run):
    manifest = {**MANIFEST, "commands": {"run": "../../beside/secret.txt"}}
    return solution(root, {"agentics.solution.json": json.dumps(manifest)})
