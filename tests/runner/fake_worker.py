#!/usr/bin/env python3
"""A worker without LightEval: speaks the exchange's protocol, and answers as the backend's `options` say.

    documents   how many a task has
    fails       documents that are not answered, by number; `code` says why
    empty       documents whose answer is empty
    dies_at     the document before which its process is killed, unless `known` holds so many answers already
    waits_at    the document before which it waits until there is a file `go` in `notes`
    failed      {"stage", "code", "message"}: the order fails so
    says        lines that are put among the events as they are

Every request that is really made is a line of `asked` in the folder `notes`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

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
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            folder = children[pid]
            (folder / "ended.json").write_text(json.dumps({"exit_code": os.waitstatus_to_exitcode(status)}))
            children[-pid] = children.pop(pid)
            if all(number < 0 for number in children):
                break
        time.sleep(0.005)
    for pid in children:
        if pid > 0:
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

            def emit(kind, number=number, **facts):
                events.write(json.dumps({"type": kind, "order": number, **facts}) + "\n")
                events.flush()

            emit("accepted")
            if KINDS[order["kind"]](order, folder, emit):
                emit("done")
        number += 1


def evaluate(order, folder, emit) -> bool:
    options = order["backend"]["options"]
    emit("environment", versions=VERSIONS, machine={"gpus": []}, backends={})
    if (failed := options.get("failed")) is not None:
        emit("failed", **failed)
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
    error = {"code": options.get("code", "server_error"), "message": "no answer"} if failed else None
    response = None if failed else {"text": [text]}
    emit("answer", **about, status=status, response=response, error=error, known=key in known)
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
            key = f"{one['name']}/{item['key']}"
            about = {"key": key, "item": item["key"], "seed": item["seed"], "doc_id": item["doc_id"]}
            said = {"judge": one["name"], "messages": [{"role": "user", "content": item["answer"]}]}
            refuses = one["model"] == "refuses"
            word = "INCORRECT" if one["model"] == "strict" else "CORRECT"
            error = {"code": "unauthorized", "message": "no"} if refuses else None
            text = None if refuses else "mumble" if one["model"] == "mumbles" else f"VERDICT: {word}"
            emit("judgement", **about, **said, text=text, error=error, known=key in known)
    return True


def details(order, folder, emit) -> bool:
    (folder / order["output"]).write_bytes((folder / order["rows"]).read_bytes())
    return True


KINDS = {"evaluate": evaluate, "judge": judge, "details": details}

if __name__ == "__main__":
    main(Path(sys.argv[sys.argv.index("-m") + 2]))
