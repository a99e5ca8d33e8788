/* The loops, as they are called from Python. */
#ifndef ODDSENGINE_LOOPS_H
#define ODDSENGINE_LOOPS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *take_over(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char take_over_doc[];
PyObject *touch(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char touch_doc[];
PyObject *keep_versions(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char keep_versions_doc[];
PyObject *covers(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char covers_doc[];
PyObject *frames(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char frames_doc[];
PyObject *coalesce(PyObject *module, PyObject *due);
extern const char coalesce_doc[];
extern PyTypeObject PayloadsType;

#endif
