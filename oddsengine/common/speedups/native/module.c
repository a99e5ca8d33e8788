/* The loops in which a gateway spends its time, over changes, audiences and sessions.
 *
 * Each function does what a function in Python beside its caller does, which is used where this module was not built; the tests
 * compare the two. Objects are read through the slots of their classes, as attributes are looked up once a change.
 * A function returns None where the caller has to do it in Python.
 */
#include "loops.h"
#include "modules.h"

/* `oddsengine.common.speedups` expects this one. */
#define INTERFACE 1

static PyMethodDef methods[] = {
    FUNCTION(take_over),
    FUNCTION(touch),
    FUNCTION(keep_versions),
    FUNCTION(covers),
    FUNCTION(frames),
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
    return make_module(&definition, INTERFACE);
}
