#!/bin/sh
# Run by mmdebstrap on the host with the new root directory as $1, once the packages are in.
set -eu
root=$1

# Solutions start with `set -euo pipefail` and are run by `sh`; Debian 12's dash knows no pipefail.
# The diversion changes hands, so that an upgrade of dash does not take the name back.
chroot "$root" dpkg-divert --quiet --package dash --no-rename --remove /bin/sh
chroot "$root" dpkg-divert --quiet --package bash --no-rename --divert /bin/sh.distrib --add /bin/sh
ln -sf bash "$root/usr/bin/sh"

# A container runs as one of two users. Git and Python's getpass, among others, refuse a uid that has no name.
for user in solution:10001 evaluator:10002; do
    name=${user%:*} uid=${user#*:}
    echo "$name:x:$uid:$uid:$name:/tmp:/bin/sh" >>"$root/etc/passwd"
    echo "$name:x:$uid:" >>"$root/etc/group"
done

# Whoever installs more gets it from Debian, not from the mirror that this machine happened to use.
cat >"$root/etc/apt/sources.list" <<'SOURCES'
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
SOURCES

# Nothing in a challenge becomes somebody else.
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +

# Of the machine that built this, and of the building, nothing stays.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf" "$root/root/.bashrc" "$root/root/.profile"
rm -rf "$root/var/log/apt" "$root/var/cache/ldconfig" "$root/var/cache/debconf"
find "$root/var/log" "$root/var/lib/dpkg" "$root/etc" -maxdepth 1 -type f \( -name '*.log' -o -name '*-old' -o -name '*-' \) -delete
