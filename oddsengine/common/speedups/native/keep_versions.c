/* Keep the recent versions of markets, for checks of prices. */
#include "loops.h"
#include "objects.h"

/* Adds a version to those of a market; `versions` is NULL if it had none before this entry. */
static int add_version(PyObject *known, PyObject *id, PyObject *versions, PyObject *version, long long oldest)
{
    if (!versions) versions = PyDict_GetItemWithError(known, id);
    if (!versions) {
        if (PyErr_Occurred() || !(versions = PyList_New(1))) return -1;
        PyList_SET_ITEM(versions, 0, Py_NewRef(version));
        int failed = PyDict_SetItem(known, id, versions);
        Py_DECREF(versions);
        return failed;
    }
    if (check(PyList_Check(versions), "versions are a list") || PyList_Append(versions, version)) return -1;
    Py_ssize_t old = 0;
    for (; old + 1 < PyList_GET_SIZE(versions); old++) {
        PyObject *next = PyList_GET_ITEM(versions, old + 1);
        if (check(PyTuple_Check(next) && PyTuple_GET_SIZE(next) == 3, "a version is a record and two times")) return -1;
        long long received = PyLong_AsLongLong(PyTuple_GET_ITEM(next, 2));
        if (received == -1 && PyErr_Occurred()) return -1;
        if (received >= oldest) break;
    }
    return old ? PyList_SetSlice(versions, 0, old, NULL) : 0;
}

const char keep_versions_doc[] =
    PyDoc_STR("keep_versions(known, ids, records, published_ms, received_ms, oldest_ms)\n\n"
              "Add a version to each market, and drop those that were replaced before a time.");

PyObject *keep_versions(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("keep_versions", count, 6)) return NULL;
    PyObject *known = arguments[0], *ids = arguments[1], *records = arguments[2];
    if (check_records(known, ids, records)) return NULL;
    int are_numbers = PyLong_Check(arguments[3]) && PyLong_Check(arguments[4]);
    long long oldest = PyLong_AsLongLong(arguments[5]);
    if (oldest == -1 && PyErr_Occurred()) return NULL;
    Py_ssize_t total = PyList_GET_SIZE(ids);
    PyObject **lists = look_up(known, ids, total);
    if (!lists) return NULL;
    int failed = 0;
    for (Py_ssize_t i = 0; i < total && !failed; i++) {
        if (i + AHEAD < total && lists[i + AHEAD] && PyList_Check(lists[i + AHEAD]))
            PREFETCH(((PyListObject *)lists[i + AHEAD])->ob_item);
        PyObject *version = PyTuple_Pack(3, PyList_GET_ITEM(records, i), arguments[3], arguments[4]);
        if (!version) {
            failed = 1;
            break;
        }
        /* Bytes and numbers: the collector would find that out, and there are many. */
        if (PyBytes_Check(PyTuple_GET_ITEM(version, 0)) && are_numbers) PyObject_GC_UnTrack(version);
        failed = add_version(known, PyList_GET_ITEM(ids, i), lists[i], version, oldest);
        Py_DECREF(version);
    }
    PyMem_Free(lists);
    if (failed) return NULL;
    Py_RETURN_NONE;
}
