/* What the modules have in common: their tables of functions, and how they are made. */
#ifndef ODDSENGINE_MODULES_H
#define ODDSENGINE_MODULES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* An entry of a table, of a function that takes its arguments by position and has its documentation in `<name>_doc`. */
#define FUNCTION(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, name##_doc}

/* Makes a module. Its callers compare its interface with the one that they are written for. */
static inline PyObject *make_module(struct PyModuleDef *definition, int interface)
{
    PyObject *module = PyModule_Create(definition);
    if (module && PyModule_AddIntConstant(module, "INTERFACE", interface)) Py_CLEAR(module);
    return module;
}

#endif
