#!/usr/bin/env python3
"""A worker without LightEval: speaks the exchange's protocol, and answers as the backend's `options` say.

    documents   how many a task has
    fails       documents that are not answered, by number; `code` says why
    fails_once  documents that are not answered the first time that they are asked for
    empty       documents whose answer is empty
    dies_at     the document before which its process is killed, unless `known` holds so many answers already
    waits_at    the document before which it waits until there is a file `go` in `notes`
    ends        facts that are put into every answer, as `finish_reasons`
    hangs_at    the document at which it hangs, whatever it is told; in the task `hangs_in`; with `hangs_once` only once
    failed      {"stage", "code", "message", …}: the order fails so; PLUGIN in a text is the first plugin's folder
    dies_saying the name of an environment variable whose value the worker prints before all of it ends
    says        lines that are put among the events as they are
    repeats     the name of an environment variable whose value is put wherever the worker may put a text

Every request that is really made is a line of `asked` in the folder `notes`; one of a judge is a line of `judged` in
the folder that its URL names. A file `mended` in there mends the judges that refuse or mumble.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

VERSIONS = {"python": "3", "lighteval": "fake"}


def main(root: Path) -> None:
    (root / "starts").touch()
    (root / "ready.json").write_text(json.dumps({"protocol": 1, "pid": os.getpid()}))
    children = {}
    parent = os.getppid()
    while not (root / "shutdown").exists() and root.is_dir() and os.getppid() == parent:
        for folder in (root / "sessions").iterdir():
            if folder not in children.values() and (folder / "order-1.json").exists():
                pid = os.fork()
                if pid == 0:
                    try:
                        session(folder, os.getppid())
                    finally:
                        os._exit(0)
                children[pid] = folder
        end_wanted(children)
        # Sessions that ended stay in there, under a negative number, so that they are not begun again.
        while any(number > 0 for number in children):
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            folder = children[pid]
            (folder / "ended.json").write_text(json.dumps({"exit_code": os.waitstatus_to_exitcode(status)}))
            children[-pid] = children.pop(pid)
        time.sleep(0.005)
    for pid in children:
        if pid > 0:
            os.kill(pid, signal.SIGKILL)


def end_wanted(children: dict[int, Path]) -> None:
    for pid, folder in children.items():
        if pid > 0 and (folder / "kill").exists():
            os.kill(pid, signal.SIGKILL)


def session(folder: Path, parent: int) -> None:
    number = 1
    while os.getppid() == parent:
        path = folder / f"order-{number}.json"
        if not path.exists():
            time.sleep(0.002)
            continue
        order = json.loads(path.read_text())
        with (folder / "events.jsonl").open("a") as events:
            word = os.environ.get(order.get("backend", {}).get("options", {}).get("repeats", ""))

            def emit(kind, number=number, word=word, **facts):
                line = json.dumps({"type": kind, "order": number, **(repeating(facts, word) if word else facts)})
                events.write((escaped(line, word) if word else line) + "\n")
                events.flush()

            emit("accepted")
            if KINDS[order["kind"]](order, folder, emit):
                emit("done")
        number += 1


def repeating(facts, word):
    """The facts of an event with a word wherever the worker may put a text, in the names of its own fields too."""
    own = {f"x-{word}": {"deep": [word, quote(word, safe="")]}}
    for name in ("doc", "machine", "config"):
        if facts.get(name):
            facts[name] = {**facts[name], **own}
    if facts.get("response"):
        facts["response"] = {"text": [f"{facts['response']['text'][0]} {word}"], **own}
    if facts.get("error"):
        facts["error"] = {**facts["error"], "message": f"no, Bearer {word}"}
    for name in ("text", "message", "traceback"):
        if facts.get(name):
            facts[name] = f"{facts[name]} {word}"
    return {**facts, "warnings": [word]} if "seeds" in facts else facts


def escaped(line, word):
    """A JSON text may write every character as an escape."""
    return line.replace(word, "".join(f"\\u{ord(one):04x}" for one in word))


def evaluate(order, folder, emit) -> bool:
    options = order["backend"]["options"]
    emit("environment", versions=VERSIONS, machine={"gpus": []}, backends={})
    if "dies_saying" in options:
        # Its end, of which 2000 characters are told, begins in the middle of a value.
        print("." + os.environ[options["dies_saying"]] * 400, flush=True)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if (failed := options.get("failed")) is not None:
        place = order["plugins"][0]["path"]
        emit("failed", **{key: text.replace("PLUGIN", place) for key, text in failed.items()})
        return False
    seeds, documents = range(order["fewshot_seeds"]), options.get("documents", 4)
    documents = min(documents, order["max_samples"] or documents)
    about = {"config": {"name": order["task"]["id"]}, "config_sha256": "c", "prompt_sha256": "p", "data_sha256": "d"}
    metrics = {"em": {"higher_is_better": True, "aggregation": "mean"}}
    requests = documents * len(seeds)
    emit("task", documents=documents, requests=requests, sampling=["generative"], metrics=metrics, **about)
    for line in options.get("says", ()):
        emit(**line)
    known = {line["key"]: line for line in map(json.loads, (folder / order["known"]).read_text().splitlines())}
    counts = dict.fromkeys(("answered", "empty", "failed"), 0)
    values = {seed: [] for seed in seeds}
    for seed in seeds:
        for index in range(documents):
            if (folder / "stop").exists():
                emit("failed", stage="generation", code="stopped", message="told to stop")
                return False
            status, value = answer(order, emit, known, seed, index)
            counts[status] += 1
            if value is not None:
                values[seed].append(value)
    reports = [
        {"seed": seed, "metrics": {"em": metric(values[seed])} if values[seed] and order["score"] else {}, "hashes": {}}
        for seed in seeds
    ]
    emit("report", seeds=reports, asked=requests, known=sum(1 for _ in known), **counts)
    return True


def answer(order, emit, known, seed, index):
    options, key = order["backend"]["options"], f"{order['task']['id']}/{seed}/{index}"
    about = {"key": key, "seed": seed, "doc_id": str(index), "sampling": "generative"}
    failed, empty = index in options.get("fails", ()), index in options.get("empty", ())
    if index in options.get("fails_once", ()) and key not in known:
        once = Path(options["notes"]) / f"failed-{index}"
        failed = failed or not once.exists()
        once.touch()
    status = "failed" if failed else "empty" if empty else "answered"
    text = "" if empty else f"answer {index}"
    if key not in known:
        if options.get("dies_at") == index and len(known) < index:
            os.kill(os.getpid(), signal.SIGKILL)
        place = Path(options["notes"])
        while options.get("waits_at") == index and not (place / "go").exists():
            time.sleep(0.002)
        with (place / "asked").open("a") as asked:
            asked.write(key + "\n")
        if options.get("hangs_at") == index and options.get("hangs_in") in (None, order["task"]["id"]):
            hung = place / "hung"
            if not (options.get("hangs_once") and hung.exists()):
                hung.touch()
                time.sleep(1000)
    error = None
    if failed:
        error = {"code": options.get("code", "server_error"), "message": options.get("message", "no answer")}
    response = None if failed else {"text": [text]}
    ends = options.get("ends", {})
    emit("answer", **about, status=status, response=response, error=error, known=key in known, **ends)
    doc = {"query": f"question {index}", "choices": [f"answer {index}"], "gold_index": 0}
    value = None if failed else float(index % 2 == 0)
    emit("sample", **about, doc=doc, metrics=None if failed or not order["score"] else {"em": value})
    return status, value


def metric(values):
    return {"value": sum(values) / len(values), "stderr": None, "n": len(values)}


def judge(order, folder, emit) -> bool:
    known = {line["key"]: line for line in map(json.loads, (folder / order["known"]).read_text().splitlines())}
    for one in order["judges"]:
        for item in map(json.loads, (folder / order["items"]).read_text().splitlines()):
            key, place = f"{one['name']}/{item['key']}", Path(urlsplit(one["base_url"]).path)
            mended = (place / "mended").exists()
            if key not in known and place.is_dir():
                with (place / "judged").open("a") as judged:
                    judged.write(key + "\n")
            about = {"key": key, "item": item["key"], "seed": item["seed"], "doc_id": item["doc_id"]}
            said = {"judge": one["name"], "messages": [{"role": "user", "content": item["answer"]}]}
            refuses = one["model"] == "refuses" and not mended
            word = "INCORRECT" if one["model"] == "strict" else "CORRECT"
            error = {"code": "unauthorized", "message": "no"} if refuses else None
            mumbles = one["model"] == "mumbles" and not mended
            text = None if refuses else "mumble" if mumbles else f"VERDICT: {word}"
            if one["api_key_env"]:
                text = f"{os.environ[one['api_key_env']]}\n{text}"
            emit("judgement", **about, **said, text=text, error=error, known=key in known)
    return True


def details(order, folder, emit) -> bool:
    (folder / order["output"]).write_bytes((folder / order["rows"]).read_bytes())
    return True


KINDS = {"evaluate": evaluate, "judge": judge, "details": details}

if __name__ == "__main__":
    main(Path(sys.argv[sys.argv.index("-m") + 2]))
