/* The loop over the changed order books of a message.
 *
 * It does what `SelectionBook.apply` does, which is used where this module was not built; the tests compare the two. Objects are read
 * through the slots of their classes.
 */
#include "books.h"

#include "../native/modules.h"

#include <math.h>

/* `oddsengine.common.speedups` expects this one. */
#define INTERFACE 3

static struct layout change_layout = {
    NULL, {0}, {"selection", "back", "lay", "back_levels", "lay_levels", "last", "quote", "back_display", NULL}};
enum { SELECTION, BACK, LAY, BACK_LEVELS, LAY_LEVELS, LAST, QUOTE, BACK_DISPLAY };
static struct layout rest_layout = {NULL, {0}, {"lay_display", NULL}};
enum { LAY_DISPLAY };
static struct layout book_layout = {
    NULL, {0}, {"back", "lay", "_top_back", "_top_lay", "_best_back", "_best_lay", "version", "best_version", NULL}};
/* Of each pair the one to back comes first. */
enum { LADDERS, TOPS = 2, BESTS = 4, VERSION = 6, BEST_VERSION = 7 };
/* What `_top_back` and `_top_lay` are where the best price has to be looked up. */
static PyObject *unknown[2];
static PyObject *one;

static int is_true(PyObject *number)
{
    return PyFloat_CheckExact(number) ? PyFloat_AS_DOUBLE(number) != 0.0 : PyObject_IsTrue(number);
}

/* Checks whether a price is at least as good as the best one so far. */
static int reaches(PyObject *price, PyObject *top, int side)
{
    if (!PyFloat_CheckExact(price) || !PyFloat_CheckExact(top)) return PyObject_RichCompareBool(price, top, side ? Py_LE : Py_GE);
    return side ? PyFloat_AS_DOUBLE(price) <= PyFloat_AS_DOUBLE(top) : PyFloat_AS_DOUBLE(price) >= PyFloat_AS_DOUBLE(top);
}

static int set_row(PyObject *ladder, PyObject *price, PyObject *size, int has_size)
{
    if (has_size) return PyDict_SetItem(ladder, price, size);
    int is_offered = PyDict_Contains(ladder, price);
    return is_offered > 0 ? PyDict_DelItem(ladder, price) : is_offered;
}

static void store(PyObject **at, PyObject *value)
{
    Py_INCREF(value);
    Py_XSETREF(*at, value);
}

/* Applies the rows of one side. Returns whether the best offer may have changed, -1 with an error. */
static int apply_side(PyObject *book, PyObject *rows, int side)
{
    PyObject *ladder = read_slot(&book_layout, book, LADDERS + side);
    PyObject **top = slot(&book_layout, book, TOPS + side), **best = slot(&book_layout, book, BESTS + side);
    if (!ladder || !top || !best) return -1;
    if (check(PyDict_Check(ladder) && *top && PyList_Check(rows), "a ladder is a dict, and rows are a list")) return -1;
    int is_best = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(rows); i++) {
        PyObject *row = PyList_GET_ITEM(rows, i);
        if (check((PyTuple_Check(row) || PyList_Check(row)) && PySequence_Fast_GET_SIZE(row) == 2, "a row is a price and a size"))
            return -1;
        PyObject *price = PySequence_Fast_GET_ITEM(row, 0), *size = PySequence_Fast_GET_ITEM(row, 1);
        int has_size = is_true(size);
        if (has_size < 0 || set_row(ladder, price, size, has_size)) return -1;
        int reached = reaches(price, *top, side);
        if (reached < 0) return -1;
        if (!reached) continue;
        is_best = 1;
        int is_unknown = PyObject_RichCompareBool(*top, unknown[side], Py_EQ);
        if (is_unknown < 0) return -1;
        if (has_size && !is_unknown) {
            store(top, price);
            store(best, row);
        } else {
            store(top, unknown[side]);
        }
    }
    return is_best;
}

static int has_rows(PyObject *rows)
{
    return rows && rows != Py_None && (!PyList_Check(rows) || PyList_GET_SIZE(rows));
}

/* Checks whether a change has more than rows of full ladders; -1 with an error. */
static int has_more(PyObject *change)
{
    static const int levels[] = {BACK_LEVELS, LAY_LEVELS, BACK_DISPLAY};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        PyObject *rows = read_slot(&change_layout, change, levels[i]);
        if (!rows) return -1;
        if (has_rows(rows)) return 1;
    }
    PyObject *last = read_slot(&change_layout, change, LAST), *quote = read_slot(&change_layout, change, QUOTE);
    PyObject *display = read_slot(&rest_layout, change, LAY_DISPLAY);
    if (!last || !quote || !display) return -1;
    return last != Py_None || quote != Py_None || has_rows(display);
}

static int count_up(PyObject *book, int index)
{
    PyObject **at = slot(&book_layout, book, index), *next = at && *at ? PyNumber_Add(*at, one) : NULL;
    if (!next) return -1;
    Py_SETREF(*at, next);
    return 0;
}

/* Applies a change to its book. Returns whether the best offers, the last trade or the quote may have changed, -1 with an error. */
static int apply_change(PyObject *book, PyObject *change, PyObject *traded_ms)
{
    PyObject *rows[2] = {read_slot(&change_layout, change, BACK), read_slot(&change_layout, change, LAY)};
    if (!rows[0] || !rows[1]) return -1;
    int is_best = 0;
    for (int side = 0; side < 2; side++) {
        if (!has_rows(rows[side])) continue;
        int changed = apply_side(book, rows[side], side);
        if (changed < 0) return -1;
        is_best |= changed;
    }
    int more = has_more(change);
    if (more < 0) return -1;
    if (more) {
        PyObject *done = PyObject_CallMethod(book, "_apply_more", "OO", change, traded_ms);
        if (!done) return -1;
        Py_DECREF(done);
        is_best = 1;
    } else if (!has_rows(rows[0]) && !has_rows(rows[1])) {
        return 0;
    }
    if (count_up(book, VERSION) || (is_best && count_up(book, BEST_VERSION))) return -1;
    return is_best;
}

const char apply_doc[] =
    PyDoc_STR("apply(books, changes, traded_ms, new_book) -> int\n\n"
              "Apply changes to the books of their selections, new ones included; return how many may have moved the best offers,\n"
              "the last trade or the quote.");

PyObject *apply(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("apply", count, 4)) return NULL;
    PyObject *books = arguments[0], *changes = arguments[1];
    if (check(PyDict_Check(books) && PyList_Check(changes), "a dict of books and a list of changes are needed")) return NULL;
    long moves = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(changes); i++) {
        PyObject *change = PyList_GET_ITEM(changes, i), *selection = read_slot(&change_layout, change, SELECTION);
        if (!selection) return NULL;
        PyObject *book = Py_XNewRef(PyDict_GetItemWithError(books, selection));
        if (!book) {
            if (PyErr_Occurred() || !(book = PyObject_CallNoArgs(arguments[3]))) return NULL;
            if (PyDict_SetItem(books, selection, book)) {
                Py_DECREF(book);
                return NULL;
            }
        }
        int has_moved = apply_change(book, change, arguments[2]);
        Py_DECREF(book);
        if (has_moved < 0) return NULL;
        moves += has_moved;
    }
    return PyLong_FromLong(moves);
}

static PyMethodDef methods[] = {
    FUNCTION(apply),
    FUNCTION(read_runners),
    FUNCTION(are_usable),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "oddsengine.common.speedups._books",
    .m_doc = "The loops over the changed order books of a message.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__books(void)
{
    unknown[0] = PyFloat_FromDouble(0.0);
    unknown[1] = PyFloat_FromDouble(INFINITY);
    one = PyLong_FromLong(1);
    if (!unknown[0] || !unknown[1] || !one) return NULL;
    return make_module(&definition, INTERFACE);
}
