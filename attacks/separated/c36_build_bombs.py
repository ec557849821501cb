# C36: templates and includes without end
# phase: build
# ends: failed solution_build_failed participant
# quick: no
import subprocess
import sys

bomb = (
    "template<int n> struct T { typename T<n + 1>::type a; typename T<n + 2>::type b; typedef int type; };\nT<0> t;\n"
)
include = "#include __FILE__\n#include __FILE__\nint x\n"
for text in (include, bomb):
    command = ["g++", "-x", "c++", "-ftemplate-depth=100000", "-fmax-errors=0", "-o", "out", "-"]
    open("bomb.cpp", "w").write(text)
    command[-1] = "bomb.cpp"
    done = subprocess.run(command, stderr=subprocess.STDOUT)
sys.exit(done.returncode)
