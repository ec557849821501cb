// Dynamic programming over the capacity. The input is JSON of a fixed form, so its numbers in order say everything.
#include <cctype>
#include <cstdio>
#include <vector>

std::vector<int> numbers() {
    std::vector<int> found;
    bool inside = false;
    for (int c; (c = std::getchar()) != EOF; inside = std::isdigit(c)) {
        if (!std::isdigit(c)) continue;
        if (!inside) found.push_back(0);
        found.back() = found.back() * 10 + (c - '0');
    }
    return found;
}

int main() {
    const std::vector<int> input = numbers();  // capacity, then weight and value of each parcel
    const int capacity = input.at(0), count = static_cast<int>(input.size() / 2);
    std::vector<std::vector<int>> best(count + 1, std::vector<int>(capacity + 1, 0));
    for (int i = 1; i <= count; ++i) {
        const int weight = input[2 * i - 1], value = input[2 * i];
        for (int room = 0; room <= capacity; ++room) {
            best[i][room] = best[i - 1][room];
            if (room >= weight && best[i - 1][room - weight] + value > best[i][room]) best[i][room] = best[i - 1][room - weight] + value;
        }
    }
    for (int i = count, room = capacity; i > 0; --i)
        if (best[i][room] != best[i - 1][room]) std::printf("%d\n", i - 1), room -= input[2 * i - 1];
}
