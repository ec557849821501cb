# G59: a YAML tag that would make an object
# ends: refused * user


def make(root, _run):
    (root / "experiment.yaml").write_text("name: !!python/object/apply:os.system ['touch ../beside/evil']\n")
    return ["experiment", "plan", str(root / "experiment.yaml"), "--json"]
