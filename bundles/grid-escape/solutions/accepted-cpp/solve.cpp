// Breadth-first search over a grid with a border of walls.
#include <cstdlib>
#include <fstream>
#include <queue>
#include <string>
#include <vector>

int main() {
    std::ifstream in(std::string(std::getenv("AGENTICS_INPUT_DIR")) + "/grid.txt");
    std::vector<std::string> grid(1);
    for (std::string row; in >> row;) grid.push_back("#" + row + "#");
    const size_t columns = grid[1].size();
    grid[0].assign(columns, '#');
    grid.emplace_back(columns, '#');

    std::vector<std::vector<int>> steps(grid.size(), std::vector<int>(columns, -1));
    std::queue<std::pair<size_t, size_t>> waiting;
    for (size_t r = 0; r < grid.size(); ++r)
        for (size_t c = 0; c < columns; ++c)
            if (grid[r][c] == 'S') steps[r][c] = 0, waiting.push({r, c});
    int answer = -1;
    for (; !waiting.empty(); waiting.pop()) {
        const auto [r, c] = waiting.front();
        if (grid[r][c] == 'E') answer = steps[r][c];
        for (const auto &[to_r, to_c] : {std::pair{r - 1, c}, {r + 1, c}, {r, c - 1}, {r, c + 1}})
            if (grid[to_r][to_c] != '#' && steps[to_r][to_c] < 0) steps[to_r][to_c] = steps[r][c] + 1, waiting.push({to_r, to_c});
    }
    std::ofstream(std::string(std::getenv("AGENTICS_OUTPUT_DIR")) + "/distance.txt") << answer << "\n";
}
