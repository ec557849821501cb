"""Our side of the exchange with a worker: files in one directory that both see.

    ready.json                  the worker has started: {"protocol": 1, "pid": …}, or {"error": {code, message}}
    heartbeat                   touched by the worker every second while it lives
    sessions/<name>/            made by us; the worker forks a child for it when it sees the first order
        order-<n>.json          an order (model.jobwork.Order), n from 1; written under another name, then renamed
        <files named by orders> known answers, items, rows; written before the order
        events.jsonl            event lines (model.jobwork.Event), appended by the child, flushed line by line
        stop                    made by us: stop asking, and end the order with `failed` (code "stopped") within moments
        ended.json              written by the parent when the child is gone: {"exit_code": …} (negative: a signal)
    shutdown                    made by us: end all sessions and exit

Everything that a worker wrote is read with suspicion: plugins run in there.
"""
