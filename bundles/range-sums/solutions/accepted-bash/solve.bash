# Prefix sums with bash's own arithmetic: no other program is started.
set -euo pipefail
mapfile -t line
read -r n q <<< "${line[0]}"
read -ra entry <<< "${line[1]}"
total=(0)
for ((i = 0; i < n; i++)); do
    ((total[i + 1] = total[i] + entry[i])) || true
done
for ((i = 2; i < q + 2; i++)); do
    l=${line[i]% *} r=${line[i]#* }
    printf '%d\n' $((total[r] - total[l - 1]))
done
