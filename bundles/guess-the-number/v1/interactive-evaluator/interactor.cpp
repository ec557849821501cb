// One case: tells the range, answers the guesses, and reports how it went.
//
//   interactor INPUT TAG REPORT      INPUT holds "N BUDGET NUMBER"
//
// Exit status 0: the number was found; 1: the participant failed; anything else: the judge's own fault.
// REPORT gets one line: the number of guesses, and in the second case the reason.
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <unistd.h>

static const size_t LONGEST_LINE = 100;

static bool say(const std::string& line) {
    const std::string text = line + "\n";
    size_t written = 0;
    while (written < text.size()) {
        const ssize_t count = write(1, text.data() + written, text.size() - written);
        if (count <= 0) return false;  // the participant is gone; reading will tell
        written += count;
    }
    return true;
}

// Byte by byte: what follows the line belongs to the next case, which another process judges.
static std::string read_line(std::string& line) {
    line.clear();
    char byte;
    while (line.size() <= LONGEST_LINE) {
        const ssize_t count = read(0, &byte, 1);
        if (count <= 0) return "end-of-output";
        if (byte == '\n') return "";
        line.push_back(byte);
    }
    return "line-too-long";
}

static bool parse(const std::string& line, const std::string& tag, long long& guess) {
    const std::string start = tag + " ";
    if (line.compare(0, start.size(), start) != 0) return false;
    const std::string digits = line.substr(start.size());
    if (digits.empty() || digits.size() > 19 || digits.find_first_not_of("0123456789") != std::string::npos) return false;
    std::istringstream stream(digits);
    return bool(stream >> guess);
}

static int fail(std::ofstream& report, int guesses, const std::string& reason) {
    report << guesses << ' ' << reason << std::endl;
    say("stop " + reason);
    return report ? 1 : 3;
}

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    if (argc != 4) return 3;
    long long size, number;
    int budget;
    if (!(std::ifstream(argv[1]) >> size >> budget >> number) || number < 1 || number > size) return 3;
    const std::string tag = argv[2];
    std::ofstream report(argv[3]);

    say("case " + tag + " " + std::to_string(size) + " " + std::to_string(budget));
    std::string line;
    for (int guesses = 1;; ++guesses) {
        long long guess = 0;
        const std::string trouble = read_line(line);
        if (!trouble.empty()) return fail(report, guesses - 1, trouble);
        if (!parse(line, tag, guess)) return fail(report, guesses, "not-a-guess");
        if (guess < 1 || guess > size) return fail(report, guesses, "out-of-range");
        if (guesses > budget) return fail(report, guesses, "over-budget");
        if (guess == number) {
            report << guesses << std::endl;
            say("found");
            return report ? 0 : 3;
        }
        say(guess < number ? "higher" : "lower");
    }
}
