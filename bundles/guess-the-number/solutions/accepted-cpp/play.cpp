// Binary search: halves the range with every guess.
#include <iostream>
#include <string>

int main() {
    std::string word, tag;
    int cases;
    std::cin >> word >> cases;
    while (cases-- > 0) {
        long long low = 1, high;
        int budget;
        std::cin >> word >> tag >> high >> budget;
        while (true) {
            const long long middle = low + (high - low) / 2;
            std::cout << tag << ' ' << middle << std::endl;
            if (!(std::cin >> word) || word == "stop") return 0;
            if (word == "found") break;
            if (word == "higher") low = middle + 1;
            else high = middle - 1;
        }
    }
}
