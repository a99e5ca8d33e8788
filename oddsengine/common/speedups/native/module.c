/* The loops in which a gateway spends its time, over changes, audiences and sessions.
 *
 * Each function does what a function in Python beside its caller does, which is used where this module was not built; the tests
 * compare the two. Objects are read through the slots of their classes, as attributes are looked up once a change.
 * A function returns None where the caller has to do it in Python.
 */
#include "loops.h"

/* `oddsengine.common.speedups` expects this one. */
#define INTERFACE 1

static PyMethodDef methods[] = {
    {"take_over", (PyCFunction)(void (*)(void))take_over, METH_FASTCALL, take_over_doc},
    {"touch", (PyCFunction)(void (*)(void))touch, METH_FASTCALL, touch_doc},
    {"keep_versions", (PyCFunction)(void (*)(void))keep_versions, METH_FASTCALL, keep_versions_doc},
    {"covers", (PyCFunction)(void (*)(void))covers, METH_FASTCALL, covers_doc},
    {"frames", (PyCFunction)(void (*)(void))frames, METH_FASTCALL, frames_doc},
    {"coalesce", coalesce, METH_O, coalesce_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "oddsengine.common.speedups._speedups",
    .m_doc = "The loops in which a gateway spends its time.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__speedups(void)
{
    if (PyType_Ready(&PayloadsType)) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "INTERFACE", INTERFACE)) Py_CLEAR(module);
    return module;
}
