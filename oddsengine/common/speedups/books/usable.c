/* Whether the numbers of changed books can be priced by: see `feeds.inspection`. */
#include "books.h"

static struct layout update_layout = {NULL, {0}, {"definition", "books", NULL}};
enum { DEFINITION, BOOKS };
static struct layout change_layout = {
    NULL, {0}, {"back", "lay", "back_levels", "lay_levels", "back_display", "lay_display", "last", "quote", NULL}};
enum { LADDERS, LEVELS = 2, LAST = 6, FIELDS = 8 };

/* Those of `inspection`. */
#define SMALLEST 1e-100
#define LARGEST 1e12

/* Checks whether an object is a number that is 0 or between those. */
static int is_usable(PyObject *number)
{
    double value;
    if (PyFloat_Check(number)) {
        value = PyFloat_AS_DOUBLE(number);
    } else if (PyLong_Check(number)) {
        value = PyLong_AsDouble(number);
        /* It is too large for a float. */
        if (value == -1.0 && PyErr_Occurred()) PyErr_Clear();
    } else {
        return 0;
    }
    return value == 0.0 || (value >= SMALLEST && value <= LARGEST);
}

/* Checks a row: a price and a size, after the level where there is one. */
static int is_usable_row(PyObject *row, int has_level)
{
    int is_row = (PyTuple_Check(row) || PyList_Check(row)) && PySequence_Fast_GET_SIZE(row) == 2 + has_level;
    if (!is_row || (has_level && !PyLong_Check(PySequence_Fast_GET_ITEM(row, 0)))) return 0;
    return is_usable(PySequence_Fast_GET_ITEM(row, has_level)) && is_usable(PySequence_Fast_GET_ITEM(row, 1 + has_level));
}

static int is_usable_field(PyObject *value, int field)
{
    if (value == Py_None) return 1;
    if (field >= LAST) return is_usable(value);
    if (!PyList_Check(value)) return 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); i++)
        if (!is_usable_row(PyList_GET_ITEM(value, i), field >= LEVELS)) return 0;
    return 1;
}

/* Checks the changed books of a market; -1 with an error. */
static int are_usable_books(PyObject *changes)
{
    if (check(PyList_Check(changes), "changes are a list")) return -1;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(changes); i++)
        for (int field = LADDERS; field < FIELDS; field++) {
            PyObject *value = read_slot(&change_layout, PyList_GET_ITEM(changes, i), field);
            if (!value) return -1;
            if (!is_usable_field(value, field)) return 0;
        }
    return 1;
}

const char are_usable_doc[] =
    PyDoc_STR("are_usable(updates, market_update) -> bool\n\n"
              "Check whether updates are all of that type, without a definition, and have nothing that can't be priced by.");

PyObject *are_usable(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("are_usable", count, 2)) return NULL;
    PyObject *updates = arguments[0];
    if (check(PyList_Check(updates), "updates are a list")) return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(updates); i++) {
        PyObject *update = PyList_GET_ITEM(updates, i);
        if ((PyObject *)Py_TYPE(update) != arguments[1]) Py_RETURN_FALSE;
        PyObject *definition = read_slot(&update_layout, update, DEFINITION), *books = read_slot(&update_layout, update, BOOKS);
        if (!definition || !books) return NULL;
        int usable = definition == Py_None ? are_usable_books(books) : 0;
        if (usable < 0) return NULL;
        if (!usable) Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}
