# C37, G59: YAML aliases that grow to a billion words
# ends: refused * user


def make(root, _run):
    names = "abcdefghi"
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for before, name in zip(names, names[1:]):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    (root / "experiment.yaml").write_text("\n".join(lines))
    return ["experiment", "plan", str(root / "experiment.yaml"), "--json"]
