# Evenly spaced greys: valid always, best seldom. Only coreutils, sed and bash.
set -euo pipefail
export LC_ALL=C
levels=$(tr -cd 0-9 < "$AGENTICS_INPUT_DIR/task.json")
picture="$AGENTICS_INPUT_DIR/picture.pgm"

# The header is three lines, and a comment may stand between them.
read -r width height < <(head -n 3 "$picture" | tr -d '\0' | sed '/^#/d' | sed -n 2p)

drawn=()
for ((grey = 0; grey < 256; grey++)); do
    printf -v "drawn[grey]" '\\%03o' $(((2 * (grey * levels / 256) + 1) * 256 / (2 * levels)))
done
{
    printf 'P5\n%d %d\n255\n' "$width" "$height"
    tail -c $((width * height)) "$picture" | od -An -v -tu1 -w16 | while read -ra row; do
        line=''
        for grey in "${row[@]}"; do
            line+=${drawn[grey]}
        done
        printf '%b' "${line//\\/\\0}"
    done
} > "$AGENTICS_OUTPUT_DIR/picture.pgm"
