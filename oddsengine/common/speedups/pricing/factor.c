/* The factor by which all probabilities of a set are clearly within their bounds: see `PricedGroup`. */
#include "pricing.h"

#include "../solving/numbers.h"

static struct layout set_layout = {
    NULL, {0}, {"probabilities", "_floors", "_ceilings", "_min_factors", "_max_factors", "winners", NULL}};
enum { PROBABILITIES, FLOORS, CEILINGS, MIN_FACTORS, MAX_FACTORS, WINNERS };

/* Those of `bounds`. */
#define MIN_COHERENT 0.75
#define MAX_COHERENT 1.34

static double largest(const double *numbers, Py_ssize_t count)
{
    double most = numbers[0];
    for (Py_ssize_t i = 1; i < count; i++)
        if (numbers[i] > most) most = numbers[i];
    return most;
}

static double smallest(const double *numbers, Py_ssize_t count)
{
    double least = numbers[0];
    for (Py_ssize_t i = 1; i < count; i++)
        if (numbers[i] < least) least = numbers[i];
    return least;
}

static int is_any_none(PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
        if (PyList_GET_ITEM(list, i) == Py_None) return 1;
    return 0;
}

const char common_factor_doc[] = PyDoc_STR("common_factor(group) -> factor or None | NotImplemented\n\n"
                                           "See `PricedGroup._is_within`. NotImplemented leaves it to Python.");

PyObject *common_factor(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t argument_count)
{
    if (check_count("common_factor", argument_count, 1)) return NULL;
    double numbers[4][MAX_OUTCOMES];
    PyObject *probabilities = read_list(&set_layout, arguments[0], PROBABILITIES, -1);
    if (!probabilities) return NULL;
    Py_ssize_t count = PyList_GET_SIZE(probabilities);
    if (!count || count > MAX_OUTCOMES) Py_RETURN_NOTIMPLEMENTED;
    for (int i = 0; i < 4; i++) {
        PyObject *list = read_list(&set_layout, arguments[0], FLOORS + i, count);
        if (!list || read_numbers(list, numbers[i])) return NULL;
    }
    PyObject *winner_count = read_slot(&set_layout, arguments[0], WINNERS);
    double winners = winner_count ? PyLong_AsDouble(winner_count) : -1.0, floor_sum = exact_sum(numbers[0], (int)count);
    if (PyErr_Occurred()) return NULL;
    if (is_any_none(probabilities)) {
        if (floor_sum <= winners && winners <= exact_sum(numbers[1], (int)count)) return PyFloat_FromDouble(1.0);
        Py_RETURN_NONE;
    }
    if (!(MIN_COHERENT * winners <= floor_sum && floor_sum <= MAX_COHERENT * winners)) Py_RETURN_NONE;
    double factor = winners / floor_sum;
    if (largest(numbers[2], count) <= factor && factor <= smallest(numbers[3], count)) return PyFloat_FromDouble(factor);
    Py_RETURN_NONE;
}
