/* The functions of this module, as they are called from Python. */
#ifndef ODDSENGINE_BOOKS_H
#define ODDSENGINE_BOOKS_H

#include "../native/objects.h"

PyObject *apply(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char apply_doc[];
PyObject *read_runners(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char read_runners_doc[];
PyObject *are_usable(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char are_usable_doc[];

#endif
