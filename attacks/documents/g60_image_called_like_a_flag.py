# G60: an image that is called like an option of the engine
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(root, lambda text: text.replace('"agentics-linux-amd64-cpu:ubuntu26.04-base"', '"--privileged"'))
