// Prefix sums. WRONG: 32 bits are too few (unsigned, so that the wrap is well defined).
#include <cstdio>
#include <vector>

int main() {
    int n, q;
    if (std::scanf("%d %d", &n, &q) != 2) return 1;
    std::vector<unsigned> totals(n + 1, 0);
    for (int i = 1; i <= n; ++i) {
        long long entry;
        if (std::scanf("%lld", &entry) != 1) return 1;
        totals[i] = totals[i - 1] + static_cast<unsigned>(entry);
    }
    while (q-- > 0) {
        int l, r;
        if (std::scanf("%d %d", &l, &r) != 2) return 1;
        std::printf("%d\n", static_cast<int>(totals[r] - totals[l - 1]));
    }
}
