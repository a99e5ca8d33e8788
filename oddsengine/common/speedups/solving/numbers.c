#include "numbers.h"

#include <math.h>

/* Shewchuk, "Adaptive precision floating-point arithmetic", 1997. */
double exact_sum(const double *numbers, int count)
{
    double partials[MAX_OUTCOMES + 1];
    int used = 0;
    for (int i = 0; i < count; i++) {
        double x = numbers[i];
        int kept = 0;
        for (int j = 0; j < used; j++) {
            double y = partials[j];
            if (fabs(x) < fabs(y)) {
                double swapped = x;
                x = y;
                y = swapped;
            }
            double high = x + y, low = y - (high - x);
            if (low != 0.0) partials[kept++] = low;
            x = high;
        }
        partials[kept++] = x;
        used = kept;
    }
    if (!used) return 0.0;
    double high = partials[--used], low = 0.0;
    while (used) {
        double x = high, y = partials[--used];
        high = x + y;
        low = y - (high - x);
        if (low != 0.0) break;
    }
    /* Half-way between two numbers, what is left decides. */
    if (used && ((low < 0.0 && partials[used - 1] < 0.0) || (low > 0.0 && partials[used - 1] > 0.0))) {
        double twice = low * 2.0, rounded = high + twice;
        if (twice == rounded - high) high = rounded;
    }
    return high;
}
