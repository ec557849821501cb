cd "$(dirname "$0")/.."
g++ -O2 -std=c++17 -o play play.cpp
