exec "$(dirname "$0")/../play"
