/* The changes of a message's runners, one a selection, as a source book takes them: see `MarketStream._books`. */
#include "books.h"

static struct layout runner_layout = {NULL, {0}, {"id", "hc", "atb", "atl", "batb", "batl", "bdatb", "bdatl", "ltp", NULL}};
enum { ID, HANDICAP, FIRST_ROWS, SLOTS = 9, FIELDS = SLOTS - FIRST_ROWS };

/* Looks up what a runner is called, or has it named. Returns a new reference. */
static PyObject *name_of(PyObject *names, PyObject *runner, PyObject *name_runner)
{
    PyObject *id = read_slot(&runner_layout, runner, ID), *handicap = read_slot(&runner_layout, runner, HANDICAP);
    PyObject *key = id && handicap ? PyTuple_Pack(2, id, handicap) : NULL;
    PyObject *name = key ? Py_XNewRef(PyDict_GetItemWithError(names, key)) : NULL;
    Py_XDECREF(key);
    return name || PyErr_Occurred() ? name : PyObject_CallOneArg(name_runner, runner);
}

/* Makes the change of one runner. */
static PyObject *change_of(PyObject *names, PyObject *runner, PyObject *name_runner, PyObject *make)
{
    PyObject *values[1 + FIELDS] = {name_of(names, runner, name_runner)}, *change = NULL;
    int is_whole = values[0] != NULL;
    for (int i = 0; is_whole && i < FIELDS; i++) is_whole = (values[1 + i] = read_slot(&runner_layout, runner, FIRST_ROWS + i)) != NULL;
    if (is_whole) change = PyObject_Vectorcall(make, values, 1 + FIELDS, NULL);
    Py_XDECREF(values[0]);
    return change;
}

const char read_runners_doc[] = PyDoc_STR("read_runners(runners, names, name_runner, make) -> changes\n\n"
                                          "Return the changes of runners, each made of the runner's name and its rows.");

PyObject *read_runners(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("read_runners", count, 4)) return NULL;
    PyObject *runners = arguments[0], *names = arguments[1];
    if (check(PyList_Check(runners) && PyDict_Check(names), "a list of runners and a dict of names are needed")) return NULL;
    PyObject *changes = PyList_New(PyList_GET_SIZE(runners));
    for (Py_ssize_t i = 0; changes && i < PyList_GET_SIZE(changes); i++) {
        PyObject *change = change_of(names, PyList_GET_ITEM(runners, i), arguments[2], arguments[3]);
        if (change) PyList_SET_ITEM(changes, i, change);
        else Py_CLEAR(changes);
    }
    return changes;
}
