/* What all of this module needs. */
#ifndef ODDSENGINE_NUMBERS_H
#define ODDSENGINE_NUMBERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define MAX_OUTCOMES 256

/* Returns the sum of numbers, exactly rounded, as math.fsum does. */
double exact_sum(const double *numbers, int count);

PyObject *fit(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char fit_doc[];

#endif
