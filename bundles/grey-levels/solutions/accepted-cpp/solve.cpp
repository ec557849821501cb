// Optimal quantization by dynamic programming over the histogram.
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

using std::string;

string slurp(const string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

int next_number(const string &text, size_t &at) {
    while (!isdigit(static_cast<unsigned char>(text[at]))) {
        if (text[at] == '#') at = text.find('\n', at);
        ++at;
    }
    int value = 0;
    while (isdigit(static_cast<unsigned char>(text[at]))) value = value * 10 + (text[at++] - '0');
    return value;
}

int main() {
    const string inputs = std::getenv("AGENTICS_INPUT_DIR"), outputs = std::getenv("AGENTICS_OUTPUT_DIR");
    const string picture = slurp(inputs + "/picture.pgm"), task = slurp(inputs + "/task.json");
    size_t at = 0;
    const int levels = next_number(task, at);
    at = 2;
    const int width = next_number(picture, at), height = next_number(picture, at);
    next_number(picture, at);
    const string pixels = picture.substr(at + 1);

    std::array<long long, 256> histogram{};
    for (unsigned char grey : pixels) ++histogram[grey];
    // error[a][b], grey[a][b]: the cheapest single grey for the greys a..b-1
    static long long error[256][257];
    static int grey[256][257];
    for (int a = 0; a < 256; ++a) {
        long long n = 0, s = 0, s2 = 0;
        for (int b = a + 1; b <= 256; ++b) {
            const long long count = histogram[b - 1];
            n += count, s += count * (b - 1), s2 += count * (b - 1) * (b - 1);
            const long long g = n ? (2 * s + n) / (2 * n) : a;
            grey[a][b] = static_cast<int>(g);
            error[a][b] = s2 - 2 * g * s + n * g * g;
        }
    }
    const long long never = std::numeric_limits<long long>::max() / 2;
    std::vector<std::array<long long, 257>> best(levels + 1);
    std::vector<std::array<int, 257>> cut(levels + 1);
    for (auto &row : best) row.fill(never);
    best[0][0] = 0;
    for (int used = 1; used <= levels; ++used)
        for (int b = 1; b <= 256; ++b)
            for (int a = 0; a < b; ++a)
                if (best[used - 1][a] + error[a][b] < best[used][b]) best[used][b] = best[used - 1][a] + error[a][b], cut[used][b] = a;
    // 256 greys always leave room for exactly `levels` ranges, and one range more never costs anything.
    std::array<unsigned char, 256> drawn{};
    for (int used = levels, b = 256; used > 0; b = cut[used--][b])
        for (int g = cut[used][b]; g < b; ++g) drawn[g] = static_cast<unsigned char>(grey[cut[used][b]][b]);

    std::ofstream out(outputs + "/picture.pgm", std::ios::binary);
    out << "P5\n" << width << " " << height << "\n255\n";
    for (unsigned char g : pixels) out.put(static_cast<char>(drawn[g]));
}
