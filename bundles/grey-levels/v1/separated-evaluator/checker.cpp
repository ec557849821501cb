// Judges one redrawn picture: `checker original.pgm redrawn.pgm levels`.
// Exit 0 and "error smallest" on stdout: valid. Exit 1 and a reason on stdout: not valid. Exit 3: our own fault.
// The redrawn file is hostile: sizes are bounded before they are multiplied, and nothing is read beyond its end.
#include <bits/stdc++.h>

struct Picture {
    int width = 0, height = 0;
    std::vector<unsigned char> pixels;
};

// Reads binary PGM text; the reason for a refusal is thrown.
class Reader {
public:
    explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}

    Picture picture() {
        if (bytes_.compare(0, 2, "P5") != 0) throw std::string("it does not begin with P5");
        at_ = 2;
        Picture picture;
        picture.width = number("width", 4096);
        picture.height = number("height", 4096);
        if (number("maximum value", 65535) != 255) throw std::string("its maximum value is not 255");
        if (at_ >= bytes_.size() || !isspace(byte())) throw std::string("no white space after the header");
        ++at_;
        const size_t wanted = size_t(picture.width) * size_t(picture.height);
        if (bytes_.size() - at_ != wanted) throw std::string("the header and the number of bytes disagree");
        picture.pixels.assign(bytes_.begin() + at_, bytes_.end());
        return picture;
    }

private:
    unsigned char byte() const { return static_cast<unsigned char>(bytes_[at_]); }

    void skip_space_and_comments() {
        while (at_ < bytes_.size() && (isspace(byte()) || bytes_[at_] == '#')) {
            if (bytes_[at_] == '#')
                while (at_ < bytes_.size() && bytes_[at_] != '\n') ++at_;
            else
                ++at_;
        }
    }

    int number(const char *what, int largest) {
        const size_t before = at_;
        skip_space_and_comments();
        if (at_ == before || at_ >= bytes_.size() || !isdigit(byte())) throw std::string("no ") + what + " in the header";
        long value = 0;
        for (; at_ < bytes_.size() && isdigit(byte()); ++at_) {
            value = value * 10 + (bytes_[at_] - '0');
            if (value > largest) throw std::string("an impossible ") + what + " in the header";
        }
        if (value == 0) throw std::string("an impossible ") + what + " in the header";
        return static_cast<int>(value);
    }

    std::string bytes_;
    size_t at_ = 0;
};

std::string read_file(const char *path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        std::cerr << "cannot read " << path << "\n";
        exit(3);
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

using Histogram = std::array<long long, 256>;

// The least error with which one grey can stand for all pixels of the greys first..last.
struct Costs {
    std::array<long long, 257> count{}, sum{}, squares{};

    explicit Costs(const Histogram &histogram) {
        for (int grey = 0; grey < 256; ++grey) {
            count[grey + 1] = count[grey] + histogram[grey];
            sum[grey + 1] = sum[grey] + histogram[grey] * grey;
            squares[grey + 1] = squares[grey] + histogram[grey] * grey * grey;
        }
    }

    long long operator()(int first, int last) const {
        const long long n = count[last + 1] - count[first], s = sum[last + 1] - sum[first];
        if (n == 0) return 0;
        const auto with = [&](long long grey) { return squares[last + 1] - squares[first] - 2 * grey * s + n * grey * grey; };
        return std::min(with(s / n), with(s / n + 1));
    }
};

long long smallest_error(const Picture &original, int levels) {
    Histogram histogram{};
    for (unsigned char grey : original.pixels) ++histogram[grey];
    const Costs cost(histogram);
    std::array<long long, 257> best;  // best[n]: the first n greys, with the levels used so far
    best.fill(std::numeric_limits<long long>::max() / 2);
    best[0] = 0;
    for (int used = 0; used < levels; ++used) {
        std::array<long long, 257> next = best;
        for (int last = 1; last <= 256; ++last)
            for (int first = 0; first < last; ++first) next[last] = std::min(next[last], best[first] + cost(first, last - 1));
        best = next;
    }
    return best[256];
}

int main(int argc, char **argv) {
    if (argc != 4) return 3;
    const int levels = std::atoi(argv[3]);
    Picture original;
    try {
        original = Reader(read_file(argv[1])).picture();
    } catch (const std::string &reason) {
        std::cerr << "the original: " << reason << "\n";
        return 3;
    }
    try {
        const Picture redrawn = Reader(read_file(argv[2])).picture();
        if (redrawn.width != original.width || redrawn.height != original.height) throw std::string("it has another size");
        const std::set<unsigned char> greys(redrawn.pixels.begin(), redrawn.pixels.end());
        if (int(greys.size()) > levels) throw std::to_string(greys.size()) + " greys are more than " + std::to_string(levels);
        long long error = 0;
        for (size_t i = 0; i < original.pixels.size(); ++i) {
            const long long difference = int(original.pixels[i]) - int(redrawn.pixels[i]);
            error += difference * difference;
        }
        std::cout << error << " " << smallest_error(original, levels) << "\n";
    } catch (const std::string &reason) {
        std::cout << reason << "\n";
        return 1;
    }
}
