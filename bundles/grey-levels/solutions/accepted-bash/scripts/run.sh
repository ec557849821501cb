set -euo pipefail
exec bash solve.bash
