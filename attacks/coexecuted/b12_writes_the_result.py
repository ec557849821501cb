# B12: a passing result wherever the evaluator writes, and a wrong answer
# ends: failed verdict_fail -
for path in ("/output/result.json", "/output/result.json.part", "/tmp/result.json", "/workspace/result.json"):
    try:
        open(path, "w").write('{"status": "passed"}')
    except OSError:
        pass
print("wrong")
