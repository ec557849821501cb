exec bin/solve
