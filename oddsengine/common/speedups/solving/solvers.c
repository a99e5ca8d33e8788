/* The solvers of the margin equations for any number of outcomes.
 *
 * Each takes the same steps as a function in `oddsengine.pricing.methods.solvers`, in the same order and with exactly
 * rounded sums, so that it has the same results to the last digit; the tests compare the two. It returns None where there are
 * too many outcomes, or where a step divides by zero, leaves the numbers, or has no answer: the function in Python says what is wrong.
 */
#include "numbers.h"

#include "../native/modules.h"

#include <float.h>
#include <math.h>

/* `oddsengine.common.speedups` expects this one. */
#define INTERFACE 2
/* Those of `closed_forms`. */
#define MAX_STEPS 200
#define LAST_STEP 1e-8

/* -- arguments ---------------------------------------------------------------------------------------------------------- */

/* Reads a list or tuple of floats, all over 0 and under 1. Returns their number, 0 where Python has to look at them. */
static int read_shares(PyObject *numbers, double *shares)
{
    if (!PyList_CheckExact(numbers) && !PyTuple_CheckExact(numbers)) return 0;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(numbers);
    if (count > MAX_OUTCOMES) return 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *number = PySequence_Fast_GET_ITEM(numbers, i);
        if (!PyFloat_CheckExact(number)) return 0;
        shares[i] = PyFloat_AS_DOUBLE(number);
        if (!(shares[i] > 0.0 && shares[i] < 1.0)) return 0;
    }
    return (int)count;
}

static int read_target(PyObject *number, double *target)
{
    if (!PyFloat_CheckExact(number)) return 0;
    *target = PyFloat_AS_DOUBLE(number);
    return *target > 0.0 && isfinite(*target);
}

static PyObject *list_of(const double *numbers, int count)
{
    PyObject *list = PyList_New(count);
    for (int i = 0; list && i < count; i++) {
        PyObject *number = PyFloat_FromDouble(numbers[i]);
        if (number) PyList_SET_ITEM(list, i, number);
        else Py_CLEAR(list);
    }
    return list;
}

/* Reads the arguments of a solver. Returns the number of outcomes, 0 where Python has to look at them, -1 with an error. */
static int read_arguments(PyObject *const *arguments, Py_ssize_t count, double *shares, double *target)
{
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "a solver takes 2 arguments, not %zd", count);
        return -1;
    }
    return read_target(arguments[1], target) ? read_shares(arguments[0], shares) : 0;
}

#define READ(shares, target)                                                         \
    double shares[MAX_OUTCOMES], target;                                             \
    int outcomes = read_arguments(arguments, argument_count, shares, &target);       \
    if (outcomes < 0) return NULL;                                                   \
    if (!outcomes) Py_RETURN_NONE

/* -- solvers ------------------------------------------------------------------------------------------------------------ */

PyDoc_STRVAR(power_doc, "power(values, target) -> (k, powers) | None\n\nSee `power_of_many`.");

static PyObject *power(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    (void)module;
    READ(values, target);
    double logs[MAX_OUTCOMES], powers[MAX_OUTCOMES], products[MAX_OUTCOMES];
    double wanted = log(target), k = 1.0;
    for (int i = 0; i < outcomes; i++) {
        logs[i] = log(values[i]);
        powers[i] = values[i];
    }
    for (int round = 0; round < MAX_STEPS; round++) {
        double total = exact_sum(powers, outcomes);
        for (int i = 0; i < outcomes; i++) products[i] = powers[i] * logs[i];
        double slope = exact_sum(products, outcomes);
        if (!(total > 0.0) || slope == 0.0) Py_RETURN_NONE;
        double step = (log(total) - wanted) * total / slope;
        k -= step;
        for (int i = 0; i < outcomes; i++) {
            powers[i] = pow(values[i], k);
            /* Out of range for Python too, or close to it. */
            if (!(powers[i] >= DBL_MIN && powers[i] <= DBL_MAX)) Py_RETURN_NONE;
        }
        if (fabs(step) <= LAST_STEP * fabs(k)) break;
    }
    if (!isfinite(k)) Py_RETURN_NONE;
    PyObject *list = list_of(powers, outcomes);
    return list ? Py_BuildValue("dN", k, list) : NULL;
}

PyDoc_STRVAR(odds_ratio_doc, "odds_ratio(values, target) -> values | None\n\nSee `odds_ratio_of_many`.");

static PyObject *odds_ratio(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    (void)module;
    READ(values, target);
    double rests[MAX_OUTCOMES], products[MAX_OUTCOMES], divisors[MAX_OUTCOMES], terms[MAX_OUTCOMES];
    for (int i = 0; i < outcomes; i++) {
        rests[i] = 1.0 - values[i];
        products[i] = values[i] * rests[i];
    }
    double low = 0.0, high = INFINITY, c = exact_sum(values, outcomes) / target;
    for (int round = 0; round < MAX_STEPS; round++) {
        for (int i = 0; i < outcomes; i++) {
            divisors[i] = values[i] + c * rests[i];
            if (divisors[i] == 0.0) Py_RETURN_NONE;
            terms[i] = values[i] / divisors[i];
        }
        double total = exact_sum(terms, outcomes);
        if (total > target) low = c;
        else high = c;
        for (int i = 0; i < outcomes; i++) {
            double square = divisors[i] * divisors[i];
            if (square == 0.0) Py_RETURN_NONE;
            terms[i] = products[i] / square;
        }
        double slope = target * exact_sum(terms, outcomes);
        if (slope == 0.0) Py_RETURN_NONE;
        double step = (target - total) * total / slope;
        if (!isfinite(step)) Py_RETURN_NONE;
        if (step == 0.0) break;
        if (low < c - step && c - step < high) {
            c -= step;
            if (fabs(step) <= LAST_STEP * c) break;
        } else {
            c = high < INFINITY ? (low + high) / 2 : c * 2;
        }
    }
    for (int i = 0; i < outcomes; i++) {
        double divisor = values[i] + c * rests[i];
        if (divisor == 0.0) Py_RETURN_NONE;
        terms[i] = values[i] / divisor;
    }
    return list_of(terms, outcomes);
}

PyDoc_STRVAR(shin_remove_doc, "shin_remove(inverse, book_sum) -> probabilities | None\n\nSee `shin_remove_of_many`.");

static PyObject *shin_remove(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    (void)module;
    READ(inverse, book_sum);
    double squares[MAX_OUTCOMES], roots[MAX_OUTCOMES], terms[MAX_OUTCOMES];
    double factor = 4.0 / book_sum, z = 0.0, others = (double)(2 - outcomes);
    for (int i = 0; i < outcomes; i++) squares[i] = factor * inverse[i] * inverse[i];
    for (int round = 0; round < MAX_STEPS; round++) {
        double rest = 1.0 - z, square_z = z * z;
        for (int i = 0; i < outcomes; i++) {
            double under = square_z + rest * squares[i];
            if (!(under > 0.0)) Py_RETURN_NONE;
            roots[i] = sqrt(under);
            terms[i] = (z - squares[i] / 2) / roots[i];
        }
        double excess = exact_sum(roots, outcomes) + others * z - 2.0;
        double slope = exact_sum(terms, outcomes) + 2.0 - (double)outcomes;
        if (slope == 0.0) Py_RETURN_NONE;
        double step = excess / slope;
        z -= step;
        if (!isfinite(z)) Py_RETURN_NONE;
        if (fabs(step) <= LAST_STEP) break;
    }
    if (!(-1.0 < z && z < 1.0)) Py_RETURN_NONE;
    double rest = 1.0 - z;
    factor = 4.0 * (1.0 - z) / book_sum;
    for (int i = 0; i < outcomes; i++) terms[i] = (sqrt(z * z + factor * inverse[i] * inverse[i]) - z) / (2.0 * rest);
    return list_of(terms, outcomes);
}

PyDoc_STRVAR(shin_apply_doc, "shin_apply(probabilities, book_sum) -> inverse odds | None\n\nSee `shin_apply_of_any`.");

static PyObject *shin_apply(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count)
{
    (void)module;
    READ(probabilities, book_sum);
    double squares[MAX_OUTCOMES], spreads[MAX_OUTCOMES], roots[MAX_OUTCOMES], terms[MAX_OUTCOMES];
    double wanted = sqrt(book_sum), z = 0.0;
    for (int i = 0; i < outcomes; i++) {
        squares[i] = probabilities[i] * probabilities[i];
        spreads[i] = probabilities[i] - squares[i];
        roots[i] = sqrt(probabilities[i]);
    }
    if (wanted >= exact_sum(roots, outcomes)) Py_RETURN_NONE;
    for (int round = 0; round < MAX_STEPS; round++) {
        for (int i = 0; i < outcomes; i++) {
            double under = squares[i] + z * spreads[i];
            if (!(under > 0.0)) Py_RETURN_NONE;
            roots[i] = sqrt(under);
            terms[i] = spreads[i] / roots[i];
        }
        double slope = exact_sum(terms, outcomes);
        if (slope == 0.0) Py_RETURN_NONE;
        double step = 2.0 * (wanted - exact_sum(roots, outcomes)) / slope;
        z += step;
        if (!isfinite(z)) Py_RETURN_NONE;
        if (fabs(step) <= LAST_STEP) break;
    }
    for (int i = 0; i < outcomes; i++) {
        double under = squares[i] + z * spreads[i];
        if (!(under >= 0.0)) Py_RETURN_NONE;
        terms[i] = wanted * sqrt(under);
    }
    return list_of(terms, outcomes);
}

/* ----------------------------------------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    FUNCTION(power),
    FUNCTION(odds_ratio),
    FUNCTION(shin_remove),
    FUNCTION(shin_apply),
    FUNCTION(fit),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "oddsengine.common.speedups._solvers",
    .m_doc = "The solvers of the margin equations, and the fit of probabilities into their bounds.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__solvers(void)
{
    return make_module(&definition, INTERFACE);
}
