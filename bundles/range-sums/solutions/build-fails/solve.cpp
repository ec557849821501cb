// Prefix sums in 64 bits. DOES NOT COMPILE: a type is misspelled.
#include <cstdio>
#include <vector>

int main() {
    int n, q;
    if (std::scanf("%d %d", &n, &q) != 2) return 1;
    std::vectr<long long> totals(n + 1, 0);
    for (int i = 1; i <= n; ++i) {
        long long entry;
        if (std::scanf("%lld", &entry) != 1) return 1;
        totals[i] = totals[i - 1] + entry;
    }
    while (q-- > 0) {
        int l, r;
        if (std::scanf("%d %d", &l, &r) != 2) return 1;
        std::printf("%lld\n", totals[r] - totals[l - 1]);
    }
}
