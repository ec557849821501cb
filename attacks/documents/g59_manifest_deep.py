# C37, G59: a solution manifest a hundred thousand deep
# ends: refused * user
from making import solution


def make(root, _run):
    return solution(root, {"agentics.solution.json": '{"a":' * 20_000 + "1" + "}" * 20_000})
