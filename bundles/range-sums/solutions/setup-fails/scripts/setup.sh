echo 'the wheel this needs cannot be had without a network' >&2
exit 3
