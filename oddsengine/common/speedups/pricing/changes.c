/* What an owner publishes of prices that have changed: see `market_since` and `ready_fragments`. */
#include "pricing.h"

#include <stdio.h>

static struct layout record_layout = {NULL, {0}, {"at", NULL}};
enum { AT };

const char moved_since_doc[] = PyDoc_STR("moved_since(selections, seq) -> list of pairs\n\n"
                                         "Return the selections that have changed after a position, each with its key.");

PyObject *moved_since(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("moved_since", count, 2)) return NULL;
    if (check(PyDict_Check(arguments[0]), "selections are a dict")) return NULL;
    PyObject *moved = PyList_New(0), *key, *record;
    for (Py_ssize_t place = 0; moved && PyDict_Next(arguments[0], &place, &key, &record);) {
        PyObject *at = read_slot(&record_layout, record, AT);
        int is_later = at ? PyObject_RichCompareBool(at, arguments[1], Py_GT) : -1;
        PyObject *pair = is_later > 0 ? PyTuple_Pack(2, key, record) : NULL;
        if (is_later < 0 || (is_later && (!pair || PyList_Append(moved, pair)))) Py_CLEAR(moved);
        Py_XDECREF(pair);
    }
    return moved;
}

/* Bytes of which the size is known once all are counted: NULL first, then where they are written. */
struct text {
    char *to;
    Py_ssize_t size;
};

static void write_bytes(struct text *text, const char *bytes, Py_ssize_t size)
{
    if (text->to) memcpy(text->to + text->size, bytes, (size_t)size);
    text->size += size;
}

/* Writes thousandths as decimal odds, as JSON has numbers: with one digit after the point or more. */
static int write_odds(struct text *text, PyObject *price)
{
    char digits[32];
    long long milli = PyLong_AsLongLong(price);
    if (check(milli >= 0 && milli < 1000000000000, "a price is in thousandths")) return -1;
    int size = snprintf(digits, sizeof digits, "%lld.%03lld", milli / 1000, milli % 1000);
    while (digits[size - 1] == '0' && digits[size - 2] != '.') size--;
    write_bytes(text, digits, size);
    return 0;
}

/* Writes what is sent of a market in one profile. */
static int write_fragment(struct text *text, PyObject *head, PyObject *keys, PyObject *rows, Py_ssize_t profile)
{
    write_bytes(text, PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); i++) {
        PyObject *key = PyList_GET_ITEM(keys, i), *row = PyList_GET_ITEM(rows, i);
        int is_right = PyBytes_Check(key) && PyTuple_Check(row) && profile < PyTuple_GET_SIZE(row);
        if (check(is_right, "a key is bytes, and prices are a tuple with one for each profile")) return -1;
        if (i) write_bytes(text, ",", 1);
        write_bytes(text, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key));
        write_bytes(text, ":{\"price\":", 10);
        PyObject *price = PyTuple_GET_ITEM(row, profile);
        if (price == Py_None) write_bytes(text, "null", 4);
        else if (write_odds(text, price)) return -1;
        write_bytes(text, "}", 1);
    }
    write_bytes(text, "}}", 2);
    return 0;
}

static PyObject *fragment_of(PyObject *head, PyObject *keys, PyObject *rows, Py_ssize_t profile)
{
    struct text text = {NULL, 0};
    if (write_fragment(&text, head, keys, rows, profile)) return NULL;
    PyObject *fragment = PyBytes_FromStringAndSize(NULL, text.size);
    if (!fragment) return NULL;
    text = (struct text){PyBytes_AS_STRING(fragment), 0};
    if (write_fragment(&text, head, keys, rows, profile)) Py_CLEAR(fragment);
    return fragment;
}

const char price_fragments_doc[] =
    PyDoc_STR("price_fragments(head, keys, rows, profiles) -> fragments\n\n"
              "Return what is sent in each profile of a market whose prices alone have changed, given its selections' keys in JSON.");

PyObject *price_fragments(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("price_fragments", count, 4)) return NULL;
    PyObject *head = arguments[0], *keys = arguments[1], *rows = arguments[2];
    int is_right = PyBytes_Check(head) && PyList_Check(keys) && PyList_Check(rows);
    if (check(is_right && PyList_GET_SIZE(keys) == PyList_GET_SIZE(rows), "bytes and two lists of one size are needed")) return NULL;
    Py_ssize_t profiles = PyLong_AsSsize_t(arguments[3]);
    if (PyErr_Occurred() || check(profiles >= 0, "a number of profiles is needed")) return NULL;
    PyObject *fragments = PyList_New(profiles);
    for (Py_ssize_t profile = 0; fragments && profile < profiles; profile++) {
        PyObject *fragment = fragment_of(head, keys, rows, profile);
        if (fragment) PyList_SET_ITEM(fragments, profile, fragment);
        else Py_CLEAR(fragments);
    }
    return fragments;
}
