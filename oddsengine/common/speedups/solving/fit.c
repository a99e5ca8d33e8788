/* Fits probabilities into their bounds: the steps of `fit_in_python` in `oddsengine.pricing.methods.bounds`, with the same sums. */
#include "numbers.h"

#include <math.h>

/* Those of `bounds`. */
#define MIN_COHERENT 0.75
#define MAX_COHERENT 1.34
#define SUM_ERROR 1e-9
#define LAY_EXCESS 0.01
/* Sums of so large numbers, and their products, are numbers too. */
#define MAX_SUMMED 1e100

/* Probabilities, or of an incomplete set those that are known, with their bounds. */
struct bounded {
    double values[MAX_OUTCOMES], lows[MAX_OUTCOMES], highs[MAX_OUTCOMES];
    int count;
};

enum answer { NOTHING, UNCHANGED, FITTED, UNDECIDED };

/* See `scaled_within`. */
static enum answer scale_within(struct bounded *set, double total)
{
    double free_values[MAX_OUTCOMES], sums[MAX_OUTCOMES], scaled[MAX_OUTCOMES];
    int free[MAX_OUTCOMES], side[MAX_OUTCOMES], left = set->count;
    for (int i = 0; i < left; i++) {
        free[i] = i;
        scaled[i] = set->values[i];
    }
    for (double rest = total; left;) {
        for (int i = 0; i < left; i++) free_values[i] = set->values[free[i]];
        double divisor = exact_sum(free_values, left);
        if (divisor == 0.0) return UNDECIDED;
        double factor = rest / divisor;
        int over = 0, under = 0;
        for (int i = 0; i < left; i++) {
            int at = free[i];
            double value = set->values[at] * factor;
            side[i] = value >= set->highs[at] ? 1 : value <= set->lows[at] ? -1 : 0;
            scaled[at] = side[i] > 0 ? set->highs[at] : side[i] < 0 ? set->lows[at] : value;
            sums[i] = scaled[at];
            over += side[i] > 0;
            under += side[i] < 0;
        }
        if (!over && !under) break;
        double excess = exact_sum(sums, left) - rest;
        int settled = excess < 0.0 ? 1 : -1, count = 0, kept = 0;
        if (!(settled > 0 ? over : under) || fabs(excess) <= SUM_ERROR * SUM_ERROR) break;
        for (int i = 0; i < left; i++) {
            if (side[i] == settled) sums[count++] = scaled[free[i]];
            else free[kept++] = free[i];
        }
        rest -= exact_sum(sums, count);
        left = kept;
    }
    for (int i = 0; i < set->count; i++) set->values[i] = scaled[i];
    return FITTED;
}

/* Checks whether all values times a factor are within their bounds. */
static int is_within(const struct bounded *set, double factor)
{
    for (int i = 0; i < set->count; i++) {
        double value = set->values[i] * factor;
        if (!(set->lows[i] <= value && value <= set->highs[i])) return 0;
    }
    return 1;
}

/* See `has_room`. */
static int has_room(const double *lows, const double *highs, int count, double winners)
{
    if (!(exact_sum(lows, count) <= winners * (1.0 + LAY_EXCESS))) return 0;
    if (!(exact_sum(highs, count) >= winners * (1.0 - SUM_ERROR))) return 0;
    for (int i = 0; i < count; i++)
        if (lows[i] > highs[i]) return 0;
    return 1;
}

static enum answer fit_complete(struct bounded *set, double winners, double *factor)
{
    double total = exact_sum(set->values, set->count);
    if (!(MIN_COHERENT * winners <= total && total <= MAX_COHERENT * winners)) return NOTHING;
    if (total == 0.0) return UNDECIDED;
    *factor = winners / total;
    if (is_within(set, *factor)) return UNCHANGED;
    if (!has_room(set->lows, set->highs, set->count, winners)) return NOTHING;
    *factor = 1.0;
    double lows = exact_sum(set->lows, set->count);
    return scale_within(set, lows > winners ? lows : winners);
}

static enum answer fit_incomplete(struct bounded *known, double winners, double low_rest, double high_rest, double *factor)
{
    double total = exact_sum(known->values, known->count), most = winners - low_rest, least = winners - high_rest;
    *factor = 1.0;
    if (!known->count || (least - SUM_ERROR <= total && total <= most + SUM_ERROR)) return UNCHANGED;
    double target = least;
    if (total > most) {
        double lows = exact_sum(known->lows, known->count);
        target = lows > most ? lows : most;
    }
    if (total == 0.0) return UNDECIDED;
    *factor = target / total;
    if (is_within(known, *factor)) return UNCHANGED;
    *factor = 1.0;
    return scale_within(known, target);
}

/* Reads a number. What is none, or may have no sum, is left to Python. */
static int read_float(PyObject *number, double *value)
{
    if (!PyFloat_CheckExact(number)) return 0;
    *value = PyFloat_AS_DOUBLE(number);
    return fabs(*value) <= MAX_SUMMED;
}

static int read_floats(PyObject *numbers, double *floats, Py_ssize_t count)
{
    if (!PyList_CheckExact(numbers) || PyList_GET_SIZE(numbers) != count) return 0;
    for (Py_ssize_t i = 0; i < count; i++)
        if (!read_float(PyList_GET_ITEM(numbers, i), &floats[i])) return 0;
    return 1;
}

/* Returns the fitted probabilities in their places, None where there was none. */
static PyObject *in_places(PyObject *probabilities, const struct bounded *set)
{
    Py_ssize_t count = PyList_GET_SIZE(probabilities);
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0, next = 0; list && i < count; i++) {
        int is_known = PyList_GET_ITEM(probabilities, i) != Py_None;
        PyObject *number = is_known ? PyFloat_FromDouble(set->values[next++]) : Py_NewRef(Py_None);
        if (number) PyList_SET_ITEM(list, i, number);
        else Py_CLEAR(list);
    }
    return list;
}

const char fit_doc[] = "fit(probabilities, lows, highs, winners) -> (factor, fitted or None) | None | NotImplemented\n\n"
                       "See `fit`. NotImplemented leaves it to Python.";

PyObject *fit(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    (void)module;
    if (argument_count != 4) {
        PyErr_Format(PyExc_TypeError, "fit takes 4 arguments, not %zd", argument_count);
        return NULL;
    }
    PyObject *probabilities = arguments[0];
    double lows[MAX_OUTCOMES], highs[MAX_OUTCOMES], low_rest = 0.0, high_rest = 0.0, factor = 1.0;
    Py_ssize_t count = PyList_CheckExact(probabilities) ? PyList_GET_SIZE(probabilities) : -1;
    if (count < 0 || count > MAX_OUTCOMES || !read_floats(arguments[1], lows, count) || !read_floats(arguments[2], highs, count))
        Py_RETURN_NOTIMPLEMENTED;
    double winners = PyLong_CheckExact(arguments[3]) ? PyLong_AsDouble(arguments[3]) : -1.0;
    if (winners < 0.0) {
        PyErr_Clear();
        Py_RETURN_NOTIMPLEMENTED;
    }
    struct bounded set = {.count = 0};
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *probability = PyList_GET_ITEM(probabilities, i);
        if (probability == Py_None) {
            low_rest += lows[i];
            high_rest += highs[i];
            continue;
        }
        if (!read_float(probability, &set.values[set.count])) Py_RETURN_NOTIMPLEMENTED;
        set.lows[set.count] = lows[i];
        set.highs[set.count++] = highs[i];
    }
    enum answer answer;
    if (set.count == count) answer = fit_complete(&set, winners, &factor);
    else if (has_room(lows, highs, (int)count, winners)) answer = fit_incomplete(&set, winners, low_rest, high_rest, &factor);
    else answer = NOTHING;
    if (answer == NOTHING) Py_RETURN_NONE;
    if (answer == UNDECIDED) Py_RETURN_NOTIMPLEMENTED;
    PyObject *fitted = answer == FITTED ? in_places(probabilities, &set) : Py_NewRef(Py_None);
    return fitted ? Py_BuildValue("dN", factor, fitted) : NULL;
}
