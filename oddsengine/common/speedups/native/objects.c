/* The slots of objects, checks of arguments, and look-ups. */
#include "objects.h"

#include <structmember.h>

struct layout market_layout = {NULL, {0}, {"at", "held", NULL}};
struct layout event_layout = {NULL, {0}, {"channels", "touched", NULL}};
struct layout audience_layout = {NULL, {0}, {"is_plain", "head", "channel", "options", "members", "last_sent_s", NULL}};

int find_slots(struct layout *layout, PyTypeObject *type)
{
    /* Until all are found it is the layout of no class. */
    Py_CLEAR(layout->type);
    for (int i = 0; layout->names[i]; i++) {
        PyObject *found = PyObject_GetAttrString((PyObject *)type, layout->names[i]);
        if (!found) return -1;
        PyMemberDef *member = Py_IS_TYPE(found, &PyMemberDescr_Type) ? ((PyMemberDescrObject *)found)->d_member : NULL;
        int is_own = member && PyType_IsSubtype(type, ((PyDescrObject *)found)->d_type);
        /* A class keeps its descriptors, so the definition outlives this reference. */
        Py_DECREF(found);
        if (!is_own || member->type != T_OBJECT_EX) {
            PyErr_Format(PyExc_TypeError, "%s.%s is not a slot", type->tp_name, layout->names[i]);
            return -1;
        }
        layout->offsets[i] = member->offset;
    }
    Py_INCREF(type);
    Py_XSETREF(layout->type, type);
    return 0;
}

int check_count(const char *name, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted) return 0;
    PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, not %zd", name, wanted, given);
    return -1;
}

int check(int is_right, const char *what)
{
    if (is_right) return 0;
    PyErr_SetString(PyExc_TypeError, what);
    return -1;
}

int check_records(PyObject *known, PyObject *ids, PyObject *records)
{
    if (check(PyDict_Check(known) && PyList_Check(ids) && PyList_Check(records), "a dict and two lists are needed")) return -1;
    if (PyList_GET_SIZE(ids) == PyList_GET_SIZE(records)) return 0;
    PyErr_SetString(PyExc_ValueError, "as many records as markets are needed");
    return -1;
}

int read_run(PyObject *run, PyObject **event, long long *count)
{
    if (check(PyTuple_Check(run) && PyTuple_GET_SIZE(run) == 2, "a run is an event and a number")) return -1;
    *event = PyTuple_GET_ITEM(run, 0);
    *count = PyLong_AsLongLong(PyTuple_GET_ITEM(run, 1));
    return *count == -1 && PyErr_Occurred() ? -1 : 0;
}

PyObject **look_up(PyObject *dict, PyObject *keys, Py_ssize_t count)
{
    PyObject **found = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *found);
    if (!found) return (PyObject **)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        found[i] = PyDict_GetItemWithError(dict, PyList_GET_ITEM(keys, i));
        if (found[i]) {
            PREFETCH(found[i]);
        } else if (PyErr_Occurred()) {
            PyMem_Free(found);
            return NULL;
        }
    }
    return found;
}

PyObject **look_up_events(PyObject *events, PyObject *runs, Py_ssize_t count)
{
    PyObject **found = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *found);
    if (!found) return (PyObject **)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *run = PyList_GET_ITEM(runs, i);
        int failed = check(PyTuple_Check(run) && PyTuple_GET_SIZE(run) == 2, "a run is an event and a number");
        found[i] = failed ? NULL : PyDict_GetItemWithError(events, PyTuple_GET_ITEM(run, 0));
        if (found[i]) {
            PREFETCH(found[i]);
        } else if (failed || PyErr_Occurred()) {
            PyMem_Free(found);
            return NULL;
        }
    }
    return found;
}
