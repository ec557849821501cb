set -euo pipefail
mkdir -p bin
g++ -O2 -std=c++17 -Wall -o bin/solve solve.cpp
