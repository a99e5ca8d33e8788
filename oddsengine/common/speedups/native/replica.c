/* What a replica does with an entry: note the records of its markets, and which events have changed. */
#include "loops.h"
#include "objects.h"

const char take_over_doc[] =
    PyDoc_STR("take_over(markets, ids, records, seq)\n\n"
              "Note the records of markets at a position. Return whether any of them is new, which is not noted.");

PyObject *take_over(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("take_over", count, 4)) return NULL;
    PyObject *markets = arguments[0], *ids = arguments[1], *records = arguments[2];
    if (check_records(markets, ids, records)) return NULL;
    long long seq = PyLong_AsLongLong(arguments[3]);
    if (seq == -1 && PyErr_Occurred()) return NULL;
    Py_ssize_t total = PyList_GET_SIZE(ids);
    PyObject **known = look_up(markets, ids, total);
    if (!known) return NULL;
    int has_new = 0, failed = 0;
    for (Py_ssize_t i = 0; i < total && !failed; i++) {
        if (!known[i]) {
            has_new = 1;
            continue;
        }
        PyObject *at = read_slot(&market_layout, known[i], MARKET_AT);
        long long known_at = at ? PyLong_AsLongLong(at) : -1;
        failed = !at || (known_at == -1 && PyErr_Occurred());
        if (failed || known_at >= seq) continue;
        PyObject **at_slot = slot(&market_layout, known[i], MARKET_AT), **held_slot = slot(&market_layout, known[i], MARKET_HELD);
        PyObject *held = *held_slot;
        *held_slot = Py_NewRef(PyList_GET_ITEM(records, i));
        *at_slot = Py_NewRef(arguments[3]);
        Py_DECREF(at);
        Py_XDECREF(held);
    }
    PyMem_Free(known);
    return failed ? NULL : PyBool_FromLong(has_new);
}

const char touch_doc[] =
    PyDoc_STR("touch(known, runs, seq, order)\n\n"
              "Note a position as that of the last change of the events of runs, and move them to the end of an order.\n"
              "Return whether any was moved.");

PyObject *touch(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("touch", count, 4)) return NULL;
    PyObject *known = arguments[0], *runs = arguments[1], *order = arguments[3];
    if (check(PyDict_Check(known) && PyList_Check(runs) && PyDict_Check(order), "two dicts and a list are needed")) return NULL;
    long long seq = PyLong_AsLongLong(arguments[2]);
    if (seq == -1 && PyErr_Occurred()) return NULL;
    Py_ssize_t total = PyList_GET_SIZE(runs);
    PyObject **entries = look_up_events(known, runs, total);
    if (!entries) return NULL;
    int has_moved = 0, failed = 0;
    for (Py_ssize_t i = 0; i < total && !failed; i++) {
        PyObject *entry = entries[i];
        if (!entry) continue;
        PyObject *touched = read_slot(&event_layout, entry, EVENT_TOUCHED);
        long long touched_at = touched ? PyLong_AsLongLong(touched) : -1;
        failed = !touched || (touched_at == -1 && PyErr_Occurred());
        if (failed || touched_at == seq) continue;
        *slot(&event_layout, entry, EVENT_TOUCHED) = Py_NewRef(arguments[2]);
        Py_DECREF(touched);
        has_moved = 1;
        Py_INCREF(entry);
        int is_in = PyDict_Contains(order, entry);
        failed = is_in < 0 || (is_in && PyDict_DelItem(order, entry)) || PyDict_SetItem(order, entry, Py_None);
        Py_DECREF(entry);
    }
    PyMem_Free(entries);
    return failed ? NULL : PyBool_FromLong(has_moved);
}
