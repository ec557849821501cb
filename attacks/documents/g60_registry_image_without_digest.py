# G60: an image by a tag that can move between validation and official evaluation
# ends: refused * user
from making import changed


def make(root, _run):
    return changed(
        root,
        lambda text: text.replace(
            '"local", "reference": "agentics-linux-amd64-cpu:ubuntu26.04-base"',
            '"registry", "reference": "ghcr.io/evil/image:latest"',
        ),
    )
